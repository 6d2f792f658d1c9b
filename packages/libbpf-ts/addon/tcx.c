// SPDX-License-Identifier: Apache-2.0
/*
 * tcx, the tc hooks of 6.6 and later, by bpf(2) itself: libbpf has them since 1.3 only, and headers older than 6.6 lack the
 * fields. The structs are union bpf_attr's members `link_create` and `query` of include/uapi/linux/bpf.h.
 */
#include "addon.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

struct link_create_tcx {
	uint32_t prog_fd;
	uint32_t target_ifindex;
	uint32_t attach_type;
	uint32_t flags;
	uint32_t relative_fd;
	uint32_t pad;
	uint64_t expected_revision;
};

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

_Static_assert(sizeof(struct link_create_tcx) == 32, "union bpf_attr: link_create.tcx");
_Static_assert(sizeof(struct prog_query) == 64 && offsetof(struct prog_query, revision) == 56, "union bpf_attr: query");

/* One hook holds at most this many: BPF_MPROG_MAX of include/linux/bpf_mprog.h is 64. More is ENOSPC. */
#define MAX_PROGRAMS 256

int sys_bpf(int cmd, void *attr, unsigned int size)
{
	return (int)syscall(__NR_bpf, cmd, attr, size);
}

/* Which descriptor of a job is which. */
enum { PROGRAM, NETNS };

/* All that an attach needs and yields, so that it can run on this thread or on a pool thread. */
struct attach_job {
	struct job job;
	struct link_create_tcx attr;
};

static void attach(struct job *job)
{
	struct attach_job *a = (struct attach_job *)job;
	int home, err;

	job->step = "setns";
	job->result = netns_enter(job->fds[NETNS], &home);
	if (job->result < 0)
		return;
	job->step = "bpf(BPF_LINK_CREATE)";
	a->attr.prog_fd = (uint32_t)job->fds[PROGRAM];
	job->result = sys_bpf(BPF_LINK_CREATE, &a->attr, sizeof(a->attr));
	err = errno;
	netns_leave(home);
	if (job->result < 0)
		job->result = -err;
}

static bool read_job(napi_env env, napi_callback_info info, struct attach_job *a)
{
	struct handle *prog;
	int netns;

	*a = (struct attach_job){ .job = { .run = attach, .makes_link = true } };
	if (!get_args(env, info, "puuui", &prog, &a->attr.target_ifindex, &a->attr.attach_type, &a->attr.flags, &netns))
		return false;
	a->job.fds[PROGRAM] = prog->fd;
	a->job.fds[NETNS] = netns;
	return true;
}

/* tcxAttach(program, ifindex, attachType, flags, netnsFd or -1) */
napi_value tcx_attach(napi_env env, napi_callback_info info)
{
	struct attach_job a;

	if (!read_job(env, info, &a))
		return NULL;
	attach(&a.job);
	return a.job.result < 0 ? fail(env, a.job.step, a.job.result) : handle_new(env, KIND_LINK, a.job.result);
}

/* tcxAttachAsync(…as tcxAttach): a promise of the link handle */
napi_value tcx_attach_async(napi_env env, napi_callback_info info)
{
	struct attach_job *a = malloc(sizeof(*a));

	if (!a)
		return fail(env, "malloc", ENOMEM);
	if (read_job(env, info, a))
		return job_start(env, &a->job, "libbpf-ts.attachTcx");
	free(a);
	return NULL;
}

static napi_value query_result(napi_env env, const struct prog_query *q, const uint32_t *progs, const uint32_t *links)
{
	napi_value out, list, revision;

	napi_create_object(env, &out);
	napi_create_bigint_uint64(env, q->revision, &revision);
	napi_create_array_with_length(env, q->count, &list);
	for (uint32_t i = 0; i < q->count; i++) {
		napi_value item;

		napi_create_object(env, &item);
		set_num(env, item, "programId", progs[i]);
		set_num(env, item, "linkId", links[i]);
		napi_set_element(env, list, i, item);
	}
	set(env, out, "revision", revision);
	set(env, out, "programs", list);
	return out;
}

/* tcxQuery(ifindex, attachType, netnsFd or -1): programs in running order */
napi_value tcx_query(napi_env env, napi_callback_info info)
{
	uint32_t progs[MAX_PROGRAMS] = {}, links[MAX_PROGRAMS] = {};
	struct prog_query q = { .count = MAX_PROGRAMS };
	int netns, home, err;

	if (!get_args(env, info, "uui", &q.target_ifindex, &q.attach_type, &netns))
		return NULL;
	q.prog_ids = (uintptr_t)progs;
	q.link_ids = (uintptr_t)links;
	err = netns_enter(netns, &home);
	if (err)
		return fail(env, "setns", err);
	err = sys_bpf(BPF_PROG_QUERY, &q, sizeof(q)) ? errno : 0;
	netns_leave(home);
	if (err == ENOENT) /* early 6.6: a hook that never had a program */
		q.count = 0;
	else if (err)
		return fail(env, "bpf(BPF_PROG_QUERY)", err);
	return query_result(env, &q, progs, links);
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
