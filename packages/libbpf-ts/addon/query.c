// SPDX-License-Identifier: Apache-2.0
/*
 * What stands at hooks. tcx, the tc hooks of 6.6 and later, by bpf(2) itself: libbpf has them since 1.3 only, and headers older than
 * 6.6 lack the fields. The struct is union bpf_attr's member `query` of include/uapi/linux/bpf.h.
 */
#include "addon.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>

struct prog_query {
	uint32_t target_ifindex;
	uint32_t attach_type;
	uint32_t query_flags;
	uint32_t attach_flags;
	uint64_t prog_ids;
	uint32_t count;
	uint32_t pad;
	uint64_t prog_attach_flags;
	uint64_t link_ids;
	uint64_t link_attach_flags;
	uint64_t revision;
};

_Static_assert(sizeof(struct prog_query) == 64 && offsetof(struct prog_query, revision) == 56, "union bpf_attr: query");

/* One hook holds at most this many: BPF_MPROG_MAX of include/linux/bpf_mprog.h is 64. More is ENOSPC. */
#define MAX_PROGRAMS 256

/* A question and its answer, so that it can be asked on this thread or on a pool thread. */
struct query_job {
	struct job job;
	struct prog_query q;
	uint32_t progs[MAX_PROGRAMS];
	uint32_t links[MAX_PROGRAMS];
};

static napi_value query_result(napi_env env, const struct job *job)
{
	const struct query_job *a = (const struct query_job *)job;
	const struct prog_query *q = &a->q;
	napi_value out, list, revision;

	napi_create_object(env, &out);
	napi_create_bigint_uint64(env, q->revision, &revision);
	napi_create_array_with_length(env, q->count, &list);
	for (uint32_t i = 0; i < q->count; i++) {
		napi_value item;

		napi_create_object(env, &item);
		set_num(env, item, "programId", a->progs[i]);
		set_num(env, item, "linkId", a->links[i]);
		napi_set_element(env, list, i, item);
	}
	set(env, out, "revision", revision);
	set(env, out, "programs", list);
	return out;
}

static void query(struct job *job)
{
	struct query_job *a = (struct query_job *)job;
	int home, err;

	job->step = "setns";
	job->result = netns_enter(job->fds[0], &home);
	if (job->result < 0)
		return;
	job->step = "bpf(BPF_PROG_QUERY)";
	a->q.prog_ids = (uintptr_t)a->progs;
	a->q.link_ids = (uintptr_t)a->links;
	err = sys_bpf(BPF_PROG_QUERY, &a->q, sizeof(a->q)) ? errno : 0;
	netns_leave(home);
	if (err == ENOENT) /* early 6.6: a hook that never had a program */
		a->q.count = 0;
	else
		job->result = -err;
}

static bool read_query(napi_env env, napi_callback_info info, struct query_job *a)
{
	*a = (struct query_job){
		.job = { .run = query, .value = query_result, .fds = { -1, -1, -1, -1 } },
		.q = { .count = MAX_PROGRAMS },
	};
	return get_args(env, info, "uui", &a->q.target_ifindex, &a->q.attach_type, &a->job.fds[0]);
}

/* tcxQuery(ifindex, attachType, netnsFd or -1): programs in running order */
napi_value tcx_query(napi_env env, napi_callback_info info)
{
	struct query_job a;

	if (!read_query(env, info, &a))
		return NULL;
	query(&a.job);
	return a.job.result < 0 ? fail(env, a.job.step, a.job.result) : query_result(env, &a.job);
}

/* tcxQueryAsync(…as tcxQuery): a promise of the same */
napi_value tcx_query_async(napi_env env, napi_callback_info info)
{
	struct query_job *a = malloc(sizeof(*a));

	if (!a)
		return fail(env, "malloc", ENOMEM);
	if (read_query(env, info, a))
		return job_start(env, &a->job, "libbpf-ts.query");
	free(a);
	return NULL;
}

/*
 * probeTcx(attachType): asks what stands at the loopback device's hook. A kernel without tcx does not know the attach type:
 * EINVAL. ENODEV and ENOENT come from one that does.
 */
napi_value probe_tcx(napi_env env, napi_callback_info info)
{
	struct prog_query q = { .target_ifindex = 1 };

	if (!get_args(env, info, "u", &q.attach_type))
		return NULL;
	if (sys_bpf(BPF_PROG_QUERY, &q, sizeof(q)) == 0 || errno == ENOENT || errno == ENODEV)
		return js_bool(env, true);
	return errno == EINVAL ? js_bool(env, false) : fail(env, "bpf(BPF_PROG_QUERY)", errno);
}

/* A namespace holds at most 64 programs of one attach type (kernel/bpf/net_namespace.c, netns_bpf_max_progs()), a cgroup too
 * (BPF_CGROUP_MAX_PROGS of include/linux/bpf-cgroup-defs.h); a cgroup's effective ones are its ancestors' too. */
#define MAX_AT_TARGET 1024

/* targetQuery(targetFd, attachType, flags): ids of the programs of a namespace or cgroup, in running order */
napi_value target_query(napi_env env, napi_callback_info info)
{
	uint32_t ids[MAX_AT_TARGET], count = MAX_AT_TARGET, type, flags;
	napi_value list;
	int target, err;

	if (!get_args(env, info, "iuu", &target, &type, &flags))
		return NULL;
	err = bpf_prog_query(target, type, flags, NULL, ids, &count);
	if (err)
		return fail(env, "bpf_prog_query", err);
	napi_create_array_with_length(env, count, &list);
	for (uint32_t i = 0; i < count; i++)
		napi_set_element(env, list, i, js_num(env, ids[i]));
	return list;
}
