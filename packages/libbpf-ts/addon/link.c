// SPDX-License-Identifier: Apache-2.0
#include "addon.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>

/*
 * struct bpf_link_info of include/uapi/linux/bpf.h as far as it is read here; the kernel accepts any size and fills what
 * fits. The union is aligned to 8 bytes. tcx exists since 6.6, so the headers of a distribution may lack it.
 */
struct link_info {
	uint32_t type;
	uint32_t id;
	uint32_t prog_id;
	uint32_t pad;
	union {
		struct {
			uint32_t netns_ino;
			uint32_t attach_type;
		} netns;
		struct {
			uint32_t ifindex;
			uint32_t attach_type;
		} tcx; /* netkit has the same shape */
		struct {
			uint32_t ifindex;
		} xdp;
		struct {
			uint64_t cgroup_id;
			uint32_t attach_type;
		} cgroup;
		struct {
			uint32_t pf;
			uint32_t hooknum;
			int32_t priority;
			uint32_t flags;
		} netfilter;
		uint64_t raw[8];
	};
};

_Static_assert(offsetof(struct link_info, netns) == 16, "the union of bpf_link_info starts at byte 16");

/* enum bpf_link_type */
#define LINK_CGROUP 3
#define LINK_NETNS 5
#define LINK_XDP 6
#define LINK_NETFILTER 10
#define LINK_TCX 11
#define LINK_NETKIT 13

static void set_details(napi_env env, napi_value out, const struct link_info *link)
{
	switch (link->type) {
	case LINK_CGROUP:
		set_big(env, out, "cgroupId", link->cgroup.cgroup_id);
		set_num(env, out, "attachType", link->cgroup.attach_type);
		break;
	case LINK_NETFILTER:
		set_num(env, out, "family", link->netfilter.pf);
		set_num(env, out, "hook", link->netfilter.hooknum);
		set_num(env, out, "priority", link->netfilter.priority);
		break;
	case LINK_NETNS:
		set_num(env, out, "netnsInode", link->netns.netns_ino);
		set_num(env, out, "attachType", link->netns.attach_type);
		break;
	case LINK_TCX:
	case LINK_NETKIT:
		set_num(env, out, "ifindex", link->tcx.ifindex);
		set_num(env, out, "attachType", link->tcx.attach_type);
		break;
	case LINK_XDP:
		set_num(env, out, "ifindex", link->xdp.ifindex);
		break;
	}
}

/* A question and its answer, so that it can be asked on this thread or on a pool thread. */
struct info_job {
	struct job job;
	struct link_info link;
};

static void ask_info(struct job *job)
{
	struct info_job *a = (struct info_job *)job;
	uint32_t len = sizeof(a->link);

	job->step = "bpf_obj_get_info_by_fd";
	job->result = bpf_obj_get_info_by_fd(job->fds[0], &a->link, &len) ? -errno : 0;
}

static napi_value info_result(napi_env env, const struct job *job)
{
	const struct link_info *link = &((const struct info_job *)job)->link;
	napi_value out;

	napi_create_object(env, &out);
	set_num(env, out, "id", link->id);
	set_num(env, out, "type", link->type);
	set_num(env, out, "programId", link->prog_id);
	set_details(env, out, link);
	return out;
}

static bool read_info(napi_env env, napi_callback_info info, struct info_job *a)
{
	struct handle *h;

	*a = (struct info_job){ .job = { .run = ask_info, .value = info_result, .fds = { -1, -1, -1, -1 } } };
	if (!get_args(env, info, "l", &h))
		return false;
	a->job.fds[0] = h->fd;
	return true;
}

/* linkInfo(link) */
napi_value link_info(napi_env env, napi_callback_info info)
{
	struct info_job a;

	if (!read_info(env, info, &a))
		return NULL;
	ask_info(&a.job);
	return a.job.result < 0 ? fail(env, a.job.step, a.job.result) : info_result(env, &a.job);
}

/* linkInfoAsync(link): a promise of the same */
napi_value link_info_async(napi_env env, napi_callback_info info)
{
	struct info_job *a = malloc(sizeof(*a));

	if (!a)
		return fail(env, "malloc", ENOMEM);
	if (read_info(env, info, a))
		return job_start(env, &a->job, "libbpf-ts.info");
	free(a);
	return NULL;
}

/* linkUpdate(link, program, expectedFd or -1): with a descriptor only if it is of the program that is there */
napi_value link_update(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_link_update_opts, opts);
	struct handle *link, *prog;
	int err, expected;

	if (!get_args(env, info, "lpi", &link, &prog, &expected))
		return NULL;
	if (expected >= 0) {
		opts.flags = BPF_F_REPLACE;
		opts.old_prog_fd = (uint32_t)expected;
	}
	err = bpf_link_update(link->fd, prog->fd, &opts);
	return err ? fail(env, "bpf_link_update", err) : NULL;
}

/* linkDetach(link) */
napi_value link_detach(napi_env env, napi_callback_info info)
{
	struct handle *link;
	int err;

	if (!get_args(env, info, "l", &link))
		return NULL;
	err = bpf_link_detach(link->fd);
	return err ? fail(env, "bpf_link_detach", err) : NULL;
}

static void detach(struct job *job)
{
	job->step = "bpf_link_detach";
	job->result = bpf_link_detach(job->fds[0]);
}

/* linkDetachAsync(link): a promise */
napi_value link_detach_async(napi_env env, napi_callback_info info)
{
	struct handle *link;
	struct job *job;

	if (!get_args(env, info, "l", &link))
		return NULL;
	job = malloc(sizeof(*job));
	if (!job)
		return fail(env, "malloc", ENOMEM);
	*job = (struct job){ .run = detach, .fds = { link->fd, -1, -1, -1 } };
	return job_start(env, job, "libbpf-ts.detach");
}
