// SPDX-License-Identifier: Apache-2.0
/*
 * tcx, the tc hooks of 6.6 and later, by bpf(2) itself: libbpf has them since 1.3 only, and headers older than 6.6 lack the
 * fields. The structs are union bpf_attr's members `link_create` and `query` of include/uapi/linux/bpf.h.
 */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* All that an attach needs and yields, so that it can run on a pool thread. */
struct request {
	struct link_create_tcx attr;
	int netns;
	int fd; /* the link, or -errno */
	const char *step;
	napi_async_work work;
	napi_deferred deferred;
};

static void attach(struct request *r)
{
	int home, err;

	r->step = "setns";
	r->fd = netns_enter(r->netns, &home);
	if (r->fd < 0)
		return;
	r->step = "bpf(BPF_LINK_CREATE)";
	r->fd = sys_bpf(BPF_LINK_CREATE, &r->attr, sizeof(r->attr));
	err = errno;
	netns_leave(home);
	if (r->fd < 0)
		r->fd = -err;
}

static bool read_request(napi_env env, napi_callback_info info, struct request *r)
{
	uint32_t ifindex, type, flags;
	struct handle *prog;
	int netns;

	if (!get_args(env, info, "puuui", &prog, &ifindex, &type, &flags, &netns))
		return false;
	*r = (struct request){ .netns = netns };
	r->attr.prog_fd = prog->fd;
	r->attr.target_ifindex = ifindex;
	r->attr.attach_type = type;
	r->attr.flags = flags;
	return true;
}

/* tcxAttach(program, ifindex, attachType, flags, netnsFd or -1) */
napi_value tcx_attach(napi_env env, napi_callback_info info)
{
	struct request r;

	if (!read_request(env, info, &r))
		return NULL;
	attach(&r);
	return r.fd < 0 ? fail(env, r.step, r.fd) : handle_new(env, KIND_LINK, r.fd);
}

static void attach_execute(napi_env env, void *data)
{
	(void)env;
	attach(data);
}

static void request_free(struct request *r)
{
	if (r->netns >= 0)
		close(r->netns);
	close((int)r->attr.prog_fd);
	free(r);
}

static void attach_complete(napi_env env, napi_status status, void *data)
{
	struct request *r = data;
	napi_value out = NULL;

	if (status == napi_ok && r->fd >= 0)
		out = handle_new(env, KIND_LINK, r->fd);
	if (out) {
		napi_resolve_deferred(env, r->deferred, out);
	} else {
		napi_value error = NULL;

		/* Either the call failed, or wrapping its result did and left an exception. */
		napi_get_and_clear_last_exception(env, &error);
		if (status == napi_cancelled)
			error = error_value(env, r->step, ECANCELED, NULL);
		else if (r->fd < 0)
			error = error_value(env, r->step, r->fd, NULL);
		napi_reject_deferred(env, r->deferred, error);
	}
	napi_delete_async_work(env, r->work);
	request_free(r);
}

/* The caller may close its descriptors while the work waits. */
static int keep_fds(struct request *r)
{
	int prog = fcntl((int)r->attr.prog_fd, F_DUPFD_CLOEXEC, 3);
	int netns = r->netns < 0 ? -1 : fcntl(r->netns, F_DUPFD_CLOEXEC, 3);
	int err = errno;

	if (prog >= 0 && (r->netns < 0 || netns >= 0)) {
		r->attr.prog_fd = prog;
		r->netns = netns;
		return 0;
	}
	if (prog >= 0)
		close(prog);
	if (netns >= 0)
		close(netns);
	return -err;
}

/* tcxAttachAsync(…as tcxAttach): a promise of the link handle */
napi_value tcx_attach_async(napi_env env, napi_callback_info info)
{
	struct request *r = malloc(sizeof(*r));
	napi_value promise;
	int err;

	if (!r)
		return fail(env, "malloc", ENOMEM);
	if (!read_request(env, info, r)) {
		free(r);
		return NULL;
	}
	err = keep_fds(r);
	if (err) {
		free(r);
		return fail(env, "fcntl", err);
	}
	r->fd = -ECANCELED;
	r->step = "bpf(BPF_LINK_CREATE)";
	napi_create_promise(env, &r->deferred, &promise);
	napi_create_async_work(env, NULL, js_str(env, "libbpf-ts.attachTcx"), attach_execute, attach_complete, r, &r->work);
	napi_queue_async_work(env, r->work);
	return promise;
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
