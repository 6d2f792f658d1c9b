// SPDX-License-Identifier: Apache-2.0
/*
 * A BPF ring buffer on the event loop. libbpf's epoll descriptor becomes readable, JavaScript is woken once, and asks for
 * everything that waits as one ArrayBuffer: one crossing per batch, not per record.
 */
#include "addon.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* A batch ends here; what remains keeps the descriptor readable and comes with the next turn of the loop. */
#define BATCH_BYTES (1 << 20)
#define BATCH_FULL (-ECANCELED)

struct ring {
	napi_env env;
	struct ring_buffer *rb;
	struct text batch; /* records: u32 length, u32 zero, the bytes padded to 8 */
	napi_ref on_wake;
	napi_async_context async;
	napi_async_cleanup_hook_handle cleanup;
	uv_poll_t poll;
	bool closed;
	int refs; /* the external's and the uv handle's; the last frees this struct, the uv handle's close all it holds */
};

static void ring_put(struct ring *r)
{
	if (--r->refs == 0)
		free(r);
}

static void free_buffer(struct ring *r)
{
	ring_buffer__free(r->rb);
	r->rb = NULL;
	text_free(&r->batch);
}

static void ring_finalize(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	ring_put(data);
}

static int add_record(void *ctx, void *data, size_t len)
{
	size_t size = 8 + ((len + 7) & ~(size_t)7);
	struct ring *r = ctx;
	char *to = text_reserve(&r->batch, size);
	uint32_t header[2] = { (uint32_t)len, 0 };

	if (!to)
		return -ENOMEM; /* libbpf counts this record as consumed: it is lost, and the caller is told */
	memcpy(to, header, sizeof(header));
	memcpy(to + 8, data, len);
	r->batch.len += size;
	return r->batch.len >= BATCH_BYTES ? BATCH_FULL : 0;
}

static void call_js(struct ring *r, int status)
{
	napi_value fn, self, argv[1];
	napi_handle_scope scope;

	if (napi_open_handle_scope(r->env, &scope) != napi_ok)
		return;
	napi_get_reference_value(r->env, r->on_wake, &fn);
	napi_get_global(r->env, &self);
	argv[0] = js_num(r->env, status);
	if (napi_make_callback(r->env, r->async, self, fn, 1, argv, NULL) == napi_pending_exception) {
		napi_value error;

		napi_get_and_clear_last_exception(r->env, &error);
		napi_fatal_exception(r->env, error); /* 'uncaughtException', as for any other event */
	}
	napi_close_handle_scope(r->env, scope);
}

static void readable(uv_poll_t *poll, int status, int events)
{
	(void)events;
	call_js(poll->data, status);
}

static void poll_closed(uv_handle_t *handle)
{
	struct ring *r = handle->data;

	free_buffer(r);
	if (r->cleanup)
		napi_remove_async_cleanup_hook(r->cleanup);
	ring_put(r);
}

static void shut(struct ring *r)
{
	if (r->closed)
		return;
	r->closed = true;
	uv_poll_stop(&r->poll);
	napi_delete_reference(r->env, r->on_wake);
	napi_async_destroy(r->env, r->async);
	uv_close((uv_handle_t *)&r->poll, poll_closed);
}

/* The environment ends (a worker's, for instance) and waits until the handle is closed. */
static void env_ends(napi_async_cleanup_hook_handle handle, void *data)
{
	(void)handle;
	shut(data);
}

static int start_poll(napi_env env, struct ring *r)
{
	uv_loop_t *loop;
	int err;

	if (napi_get_uv_event_loop(env, &loop) != napi_ok)
		return -EINVAL;
	err = uv_poll_init(loop, &r->poll, ring_buffer__epoll_fd(r->rb));
	if (err)
		return err;
	r->poll.data = r;
	r->refs++;
	return 0;
}

/* ringOpen(map, onWake(status)) */
napi_value ring_open(napi_env env, napi_callback_info info)
{
	napi_value fn, out;
	struct handle *map;
	struct ring *r;
	int err;

	if (!get_args(env, info, "mf", &map, &fn))
		return NULL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return fail(env, "calloc", ENOMEM);
	r->env = env;
	r->refs = 1;
	r->rb = ring_buffer__new(map->fd, add_record, r, NULL);
	if (!r->rb) {
		err = errno;
		ring_put(r);
		return fail(env, "ring_buffer__new", err);
	}
	err = start_poll(env, r);
	if (err) {
		free_buffer(r);
		ring_put(r);
		return fail(env, "uv_poll_init", err);
	}
	napi_create_reference(env, fn, 1, &r->on_wake);
	napi_async_init(env, NULL, js_str(env, "libbpf-ts.RingBuffer"), &r->async);
	napi_add_async_cleanup_hook(env, env_ends, r, &r->cleanup);
	out = external_new(env, KIND_RING, r, ring_finalize);
	if (!out) {
		shut(r);
		ring_put(r);
		return NULL;
	}
	uv_poll_start(&r->poll, UV_READABLE, readable);
	return out;
}

/* ringConsume(ring): the waiting records packed, at most about BATCH_BYTES, or undefined when there is none */
napi_value ring_consume(napi_env env, napi_callback_info info)
{
	struct ring *r;
	int n;

	if (!get_args(env, info, "r", &r))
		return NULL;
	if (r->closed)
		return fail_own(env, "ERR_CLOSED", "the BPF ring buffer is closed");
	r->batch.len = 0;
	n = ring_buffer__consume(r->rb);
	if (n < 0 && n != BATCH_FULL)
		return fail(env, "ring_buffer__consume", n);
	return r->batch.len ? js_bytes(env, r->batch.data, r->batch.len) : js_undefined(env);
}

/* ringPause(ring, on): while it is on, records wait in the kernel and nobody is woken */
napi_value ring_pause(napi_env env, napi_callback_info info)
{
	struct ring *r;
	bool on;

	if (!get_args(env, info, "r?", &r, &on))
		return NULL;
	if (r->closed)
		return NULL;
	if (on)
		uv_poll_stop(&r->poll);
	else
		uv_poll_start(&r->poll, UV_READABLE, readable);
	return NULL;
}

/* ringRef(ring, on): whether it keeps the process alive */
napi_value ring_ref(napi_env env, napi_callback_info info)
{
	struct ring *r;
	bool on;

	if (!get_args(env, info, "r?", &r, &on))
		return NULL;
	if (r->closed)
		return NULL;
	if (on)
		uv_ref((uv_handle_t *)&r->poll);
	else
		uv_unref((uv_handle_t *)&r->poll);
	return NULL;
}

/* ringClose(ring): again is harmless */
napi_value ring_close(napi_env env, napi_callback_info info)
{
	struct ring *r;

	if (get_args(env, info, "r", &r))
		shut(r);
	return NULL;
}
