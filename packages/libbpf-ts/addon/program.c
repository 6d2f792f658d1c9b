// SPDX-License-Identifier: Apache-2.0
#include "addon.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NS_PER_MS 1e6

static double now_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1e3 + ts.tv_nsec / NS_PER_MS;
}

static void set_tag(napi_env env, napi_value out, const struct bpf_prog_info *prog)
{
	char hex[2 * BPF_TAG_SIZE + 1];

	for (size_t i = 0; i < BPF_TAG_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", prog->tag[i]);
	set_str(env, out, "tag", hex);
}

static void set_map_ids(napi_env env, napi_value out, const uint32_t *ids, uint32_t n)
{
	napi_value list;

	napi_create_array_with_length(env, n, &list);
	for (uint32_t i = 0; i < n; i++)
		napi_set_element(env, list, i, js_num(env, ids[i]));
	set(env, out, "mapIds", list);
}

/* programInfo(program); loadedAt in milliseconds since 1970, reckoned from the kernel's time since boot */
napi_value program_info(napi_env env, napi_callback_info info)
{
	struct bpf_prog_info prog = {};
	uint32_t len = sizeof(prog), n;
	uint32_t *ids = NULL;
	struct handle *h;
	napi_value out;

	if (!get_args(env, info, "p", &h))
		return NULL;
	if (bpf_obj_get_info_by_fd(h->fd, &prog, &len))
		return fail(env, "bpf_obj_get_info_by_fd", errno);
	n = prog.nr_map_ids;
	ids = calloc(n ? n : 1, sizeof(*ids));
	if (!ids)
		return fail(env, "calloc", ENOMEM);
	prog = (struct bpf_prog_info){ .nr_map_ids = n, .map_ids = (uintptr_t)ids };
	len = sizeof(prog);
	if (bpf_obj_get_info_by_fd(h->fd, &prog, &len)) {
		free(ids);
		return fail(env, "bpf_obj_get_info_by_fd", errno);
	}
	napi_create_object(env, &out);
	set_num(env, out, "id", prog.id);
	set_num(env, out, "type", prog.type);
	set_str(env, out, "name", prog.name);
	set_tag(env, out, &prog);
	set_map_ids(env, out, ids, n);
	set_num(env, out, "instructions", prog.xlated_prog_len / sizeof(struct bpf_insn));
	set_num(env, out, "verifiedInstructions", prog.verified_insns);
	set_num(env, out, "machineCodeBytes", prog.jited_prog_len);
	set_num(env, out, "createdByUid", prog.created_by_uid);
	set_num(env, out, "loadedAt", now_ms(CLOCK_REALTIME) - now_ms(CLOCK_BOOTTIME) + prog.load_time / NS_PER_MS);
	free(ids);
	return out;
}

/* programStatistics(program): what it has run since statistics were switched on */
napi_value program_statistics(napi_env env, napi_callback_info info)
{
	struct bpf_prog_info prog = {};
	uint32_t len = sizeof(prog);
	struct handle *h;
	napi_value out;

	if (!get_args(env, info, "p", &h))
		return NULL;
	if (bpf_obj_get_info_by_fd(h->fd, &prog, &len))
		return fail(env, "bpf_obj_get_info_by_fd", errno);
	napi_create_object(env, &out);
	set_big(env, out, "runs", prog.run_cnt);
	set_big(env, out, "runTimeNs", prog.run_time_ns);
	set_big(env, out, "recursionMisses", prog.recursion_misses);
	return out;
}

/* enableStatistics(): a handle; while one is open, the kernel counts and times the runs of all programs */
napi_value enable_statistics(napi_env env, napi_callback_info info)
{
	int fd;

	if (!get_args(env, info, ""))
		return NULL;
	fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	return fd < 0 ? fail(env, "bpf_enable_stats", fd) : handle_new(env, KIND_STATISTICS, fd);
}

/* What a program may add to a packet (bpf_skb_adjust_room(), bpf_skb_change_head()) fits in this. */
#define DATA_HEADROOM 4096

/* Fills in the buffers for the output; a program type without data or context gets none. */
static bool prepare_output(struct bpf_test_run_opts *opts)
{
	if (opts->data_size_in) {
		opts->data_size_out = opts->data_size_in + DATA_HEADROOM;
		opts->data_out = calloc(1, opts->data_size_out);
	}
	if (opts->ctx_size_in) {
		opts->ctx_size_out = opts->ctx_size_in;
		opts->ctx_out = calloc(1, opts->ctx_size_out);
	}
	return (!opts->data_size_in || opts->data_out) && (!opts->ctx_size_in || opts->ctx_out);
}

static napi_value test_run_result(napi_env env, const struct bpf_test_run_opts *opts)
{
	napi_value out;

	napi_create_object(env, &out);
	set_num(env, out, "retval", (int32_t)opts->retval);
	set(env, out, "data", js_bytes(env, opts->data_out, opts->data_size_out));
	set(env, out, "context", js_bytes(env, opts->ctx_out, opts->ctx_size_out));
	set_num(env, out, "durationNs", opts->duration);
	return out;
}

/*
 * bpf_test_timer_continue() in net/bpf/test_run.c breaks off between two runs when a signal waits for this thread (SIGCHLD is enough), and does
 * not tell how many it has made. So signals wait until all are made. (SIGKILL does not, nor does a task work of the kernel's own: EINTR.)
 */
static int test_run_undisturbed(int fd, struct bpf_test_run_opts *opts)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	err = pthread_sigmask(SIG_BLOCK, &all, &before);
	if (err)
		return -err;
	err = bpf_prog_test_run_opts(fd, opts);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

/* programTestRun(program, data, context, repeat) */
napi_value program_test_run(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct bytes data, context;
	napi_value out = NULL;
	struct handle *h;
	uint32_t repeat;
	int err = -ENOMEM;

	if (!get_args(env, info, "pyyu", &h, &data, &context, &repeat))
		return NULL;
	opts.data_in = data.len ? data.data : NULL;
	opts.data_size_in = data.len;
	opts.ctx_in = context.len ? context.data : NULL;
	opts.ctx_size_in = context.len;
	opts.repeat = repeat;
	if (prepare_output(&opts))
		err = test_run_undisturbed(h->fd, &opts);
	if (!err)
		out = test_run_result(env, &opts);
	free(opts.data_out);
	free(opts.ctx_out);
	return err ? fail(env, "bpf_prog_test_run_opts", err) : out;
}
