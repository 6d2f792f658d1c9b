// SPDX-License-Identifier: Apache-2.0
/*
 * Links of every kind by bpf(2) itself: the system's libbpf may be older than the kind (tcx: 1.3, netfilter: 1.3), and so may the
 * headers. The struct is union bpf_attr's member `link_create` of include/uapi/linux/bpf.h: four words for all kinds, then what one
 * kind needs, which TypeScript packs. Kinds before the kernel's newest do not read so far, and what is zero is as if not there.
 */
#include "addon.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DETAIL_BYTES 16

struct link_create {
	uint32_t prog_fd;
	uint32_t target; /* descriptor or ifindex */
	uint32_t attach_type;
	uint32_t flags;
	union {
		uint32_t relative_fd;
		uint8_t detail[DETAIL_BYTES];
	};
};

_Static_assert(sizeof(struct link_create) == 32, "union bpf_attr: link_create");

int sys_bpf(int cmd, void *attr, unsigned int size)
{
	return (int)syscall(__NR_bpf, cmd, attr, size);
}

/* Which descriptor of a job is which. */
enum { PROGRAM, NETNS, TARGET, RELATIVE };

/* All that an attachment needs and yields, so that it can be made on this thread or on a pool thread. */
struct attach_job {
	struct job job;
	struct link_create attr;
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
	if (job->fds[TARGET] >= 0)
		a->attr.target = (uint32_t)job->fds[TARGET];
	if (job->fds[RELATIVE] >= 0)
		a->attr.relative_fd = (uint32_t)job->fds[RELATIVE];
	job->result = sys_bpf(BPF_LINK_CREATE, &a->attr, sizeof(a->attr));
	err = errno;
	netns_leave(home);
	if (job->result < 0)
		job->result = -err;
}

static bool read_job(napi_env env, napi_callback_info info, struct attach_job *a)
{
	int netns, target, relative;
	struct handle *prog;
	struct bytes detail;

	*a = (struct attach_job){ .job = { .run = attach, .value = job_link } };
	if (!get_args(env, info, "piuuuiiy", &prog, &target, &a->attr.target, &a->attr.attach_type, &a->attr.flags,
		      &netns, &relative, &detail))
		return false;
	if (detail.len > DETAIL_BYTES) {
		fail_range(env, "the details of a link are at most 16 bytes");
		return false;
	}
	if (detail.len)
		memcpy(a->attr.detail, detail.data, detail.len);
	a->job.fds[PROGRAM] = prog->fd;
	a->job.fds[NETNS] = netns;
	a->job.fds[TARGET] = target;
	a->job.fds[RELATIVE] = relative;
	return true;
}

/* linkCreate(program, targetFd or -1, ifindex, attachType, flags, netnsFd or -1, relativeFd or -1, detail) */
napi_value link_create(napi_env env, napi_callback_info info)
{
	struct attach_job a;

	if (!read_job(env, info, &a))
		return NULL;
	attach(&a.job);
	return a.job.result < 0 ? fail(env, a.job.step, a.job.result) : handle_new(env, KIND_LINK, a.job.result);
}

/* linkCreateAsync(…as linkCreate): a promise of the link handle */
napi_value link_create_async(napi_env env, napi_callback_info info)
{
	struct attach_job *a = malloc(sizeof(*a));

	if (!a)
		return fail(env, "malloc", ENOMEM);
	if (read_job(env, info, a))
		return job_start(env, &a->job, "libbpf-ts.attach");
	free(a);
	return NULL;
}

/*
 * programAttach(program, targetFd, attachType) without a link: programs on maps of sockets, which have links since 6.10 only.
 * programDetach(…): the same backwards.
 */
static napi_value attach_without_link(napi_env env, napi_callback_info info, int cmd, const char *call)
{
	/* union bpf_attr: target_fd, attach_bpf_fd, attach_type, attach_flags */
	uint32_t attr[4] = {}, type;
	struct handle *prog;
	int target;

	if (!get_args(env, info, "piu", &prog, &target, &type))
		return NULL;
	attr[0] = (uint32_t)target;
	attr[1] = (uint32_t)prog->fd;
	attr[2] = type;
	return sys_bpf(cmd, attr, sizeof(attr)) ? fail(env, call, errno) : NULL;
}

napi_value program_attach(napi_env env, napi_callback_info info)
{
	return attach_without_link(env, info, BPF_PROG_ATTACH, "bpf(BPF_PROG_ATTACH)");
}

napi_value program_detach(napi_env env, napi_callback_info info)
{
	return attach_without_link(env, info, BPF_PROG_DETACH, "bpf(BPF_PROG_DETACH)");
}
