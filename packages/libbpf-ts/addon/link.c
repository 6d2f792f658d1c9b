// SPDX-License-Identifier: Apache-2.0
#include "addon.h"

#include <bpf/bpf.h>
#include <errno.h>
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
		uint64_t raw[8];
	};
};

_Static_assert(offsetof(struct link_info, netns) == 16, "the union of bpf_link_info starts at byte 16");

/* enum bpf_link_type */
#define LINK_NETNS 5
#define LINK_XDP 6
#define LINK_TCX 11
#define LINK_NETKIT 13

static void set_details(napi_env env, napi_value out, const struct link_info *link)
{
	switch (link->type) {
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

/* linkInfo(link) */
napi_value link_info(napi_env env, napi_callback_info info)
{
	struct link_info link = {};
	uint32_t len = sizeof(link);
	struct handle *h;
	napi_value out;

	if (!get_args(env, info, "l", &h))
		return NULL;
	if (bpf_obj_get_info_by_fd(h->fd, &link, &len))
		return fail(env, "bpf_obj_get_info_by_fd", errno);
	napi_create_object(env, &out);
	set_num(env, out, "id", link.id);
	set_num(env, out, "type", link.type);
	set_num(env, out, "programId", link.prog_id);
	set_details(env, out, &link);
	return out;
}

/* linkUpdate(link, program) */
napi_value link_update(napi_env env, napi_callback_info info)
{
	struct handle *link, *prog;
	int err;

	if (!get_args(env, info, "lp", &link, &prog))
		return NULL;
	err = bpf_link_update(link->fd, prog->fd, NULL);
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
	*job = (struct job){ .run = detach, .fds = { link->fd, -1 } };
	return job_start(env, job, "libbpf-ts.detach");
}

/* linkAttachNetns(program, netnsFd, attachType): the namespace is the link's target, so nobody has to go there */
napi_value link_attach_netns(napi_env env, napi_callback_info info)
{
	struct handle *prog;
	uint32_t type;
	int netns, fd;

	if (!get_args(env, info, "piu", &prog, &netns, &type))
		return NULL;
	fd = bpf_link_create(prog->fd, netns, type, NULL);
	return fd < 0 ? fail(env, "bpf_link_create", fd) : handle_new(env, KIND_LINK, fd);
}

/* A namespace holds at most 64 programs of one attach type (kernel/bpf/net_namespace.c, netns_bpf_max_progs()). */
#define MAX_NETNS_PROGRAMS 64

/* linkQueryNetns(netnsFd, attachType): ids of the programs there, in running order */
napi_value link_query_netns(napi_env env, napi_callback_info info)
{
	uint32_t ids[MAX_NETNS_PROGRAMS], count = MAX_NETNS_PROGRAMS, type;
	napi_value list;
	int netns, err;

	if (!get_args(env, info, "iu", &netns, &type))
		return NULL;
	err = bpf_prog_query(netns, type, 0, NULL, ids, &count);
	if (err)
		return fail(env, "bpf_prog_query", err);
	napi_create_array_with_length(env, count, &list);
	for (uint32_t i = 0; i < count; i++) {
		napi_value id;

		napi_create_uint32(env, ids[i], &id);
		napi_set_element(env, list, i, id);
	}
	return list;
}
