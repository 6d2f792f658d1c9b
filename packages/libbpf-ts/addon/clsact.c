// SPDX-License-Identifier: Apache-2.0
/* Filters of the clsact qdisc, by libbpf's netlink code (bpf_tc_*). */
#include "addon.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct filter {
	struct bpf_tc_hook hook;
	struct bpf_tc_opts opts;
	int netns;
	const char *step;
};

/* Reads (ifindex, attachPoint, priority, handle, netnsFd or -1) behind what `prog` and `replace` take. */
static bool read_filter(napi_env env, napi_callback_info info, struct filter *f, struct handle **prog, bool *replace)
{
	uint32_t ifindex, point, priority, handle;
	bool ok;

	*f = (struct filter){ .hook.sz = sizeof(f->hook), .opts.sz = sizeof(f->opts) };
	if (prog)
		ok = get_args(env, info, "uuuuip?", &ifindex, &point, &priority, &handle, &f->netns, prog, replace);
	else
		ok = get_args(env, info, "uuuui", &ifindex, &point, &priority, &handle, &f->netns);
	if (!ok)
		return false;
	f->hook.ifindex = (int)ifindex;
	f->hook.attach_point = point;
	f->opts.priority = priority;
	f->opts.handle = handle;
	return true;
}

/* Creates the qdisc unless it is there. What libbpf printed about one that is there is no news. */
static int ensure_qdisc(struct filter *f)
{
	int err;

	f->step = "bpf_tc_hook_create";
	err = bpf_tc_hook_create(&f->hook);
	if (err != -EEXIST)
		return err;
	log_reset();
	return 0;
}

static int attach(struct filter *f)
{
	int err = ensure_qdisc(f);

	if (err)
		return err;
	f->step = "bpf_tc_attach";
	return bpf_tc_attach(&f->hook, &f->opts);
}

static int detach(struct filter *f)
{
	f->step = "bpf_tc_detach";
	return bpf_tc_detach(&f->hook, &f->opts);
}

static int query(struct filter *f)
{
	f->step = "bpf_tc_query";
	return bpf_tc_query(&f->hook, &f->opts);
}

static int in_netns(struct filter *f, int (*call)(struct filter *f))
{
	int home, err;

	f->step = "setns";
	err = netns_enter(f->netns, &home);
	if (err)
		return err;
	err = call(f);
	netns_leave(home);
	return err;
}

/*
 * Nothing there: the filter is missing (ENOENT), or its chain, or the whole qdisc. For the last two the kernel says EINVAL,
 * and only the text tells them from a wrong request (net/sched/cls_api.c: __tcf_qdisc_find(), tc_get_tfilter()).
 */
static bool absent(int err)
{
	const struct text *log = log_current();

	if (err == -ENOENT)
		return true;
	if (err != -EINVAL || !log->len)
		return false;
	return strstr(log->data, "Parent Qdisc doesn't exists") ||
	       strstr(log->data, "Cannot find specified filter chain");
}

/* Which descriptor of a job is which. */
enum { PROGRAM, NETNS };

/* All that an attachment needs and yields, so that it can be made on this thread or on a pool thread. */
struct attach_job {
	struct job job;
	struct filter filter;
};

static void run_attach(struct job *job)
{
	struct filter *f = &((struct attach_job *)job)->filter;

	f->netns = job->fds[NETNS];
	f->opts.prog_fd = job->fds[PROGRAM];
	job->result = in_netns(f, attach);
	job->step = f->step;
}

static napi_value attached(napi_env env, const struct job *job)
{
	const struct bpf_tc_opts *opts = &((const struct attach_job *)job)->filter.opts;
	napi_value out;

	napi_create_object(env, &out);
	set_num(env, out, "priority", opts->priority);
	set_num(env, out, "handle", opts->handle);
	set_num(env, out, "programId", opts->prog_id);
	return out;
}

static bool read_attach(napi_env env, napi_callback_info info, struct attach_job *a)
{
	struct handle *prog;
	bool replace;

	*a = (struct attach_job){ .job = { .run = run_attach, .value = attached, .fds = { -1, -1, -1, -1 } } };
	if (!read_filter(env, info, &a->filter, &prog, &replace))
		return false;
	a->filter.opts.flags = replace ? BPF_TC_F_REPLACE : 0;
	a->job.fds[PROGRAM] = prog->fd;
	a->job.fds[NETNS] = a->filter.netns;
	return true;
}

/* clsactAttach(ifindex, attachPoint, priority, handle, netnsFd, program, replace) */
napi_value clsact_attach(napi_env env, napi_callback_info info)
{
	struct attach_job a;

	if (!read_attach(env, info, &a))
		return NULL;
	run_attach(&a.job);
	return a.job.result ? fail(env, a.job.step, a.job.result) : attached(env, &a.job);
}

/* clsactAttachAsync(…as clsactAttach): a promise of the same */
napi_value clsact_attach_async(napi_env env, napi_callback_info info)
{
	struct attach_job *a = malloc(sizeof(*a));

	if (!a)
		return fail(env, "malloc", ENOMEM);
	if (read_attach(env, info, a))
		return job_start(env, &a->job, "libbpf-ts.clsact");
	free(a);
	return NULL;
}

/* clsactDetach(ifindex, attachPoint, priority, handle, netnsFd): whether it was there */
napi_value clsact_detach(napi_env env, napi_callback_info info)
{
	struct filter f;
	int err;

	if (!read_filter(env, info, &f, NULL, NULL))
		return NULL;
	err = in_netns(&f, detach);
	if (err && err != -ENODEV && !absent(err))
		return fail(env, f.step, err);
	return js_bool(env, !err);
}

/* clsactQuery(…as clsactDetach): the program's id, or undefined */
napi_value clsact_query(napi_env env, napi_callback_info info)
{
	struct filter f;
	int err;

	if (!read_filter(env, info, &f, NULL, NULL))
		return NULL;
	err = in_netns(&f, query);
	if (err)
		return absent(err) ? js_undefined(env) : fail(env, f.step, err);
	return js_num(env, f.opts.prog_id);
}
