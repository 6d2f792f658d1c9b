// SPDX-License-Identifier: Apache-2.0
/*
 * Many entries of a map by one call. What the kernel's batches cannot do (LPM tries of old kernels, sockmaps, update modes) is done
 * entry by entry in here, so that JavaScript crosses over once all the same.
 */
#include "addon.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>

/* What a batch call did: `done` entries, and then `err` (0 or -errno) in `call`. */
struct outcome {
	uint32_t done;
	int err;
	const char *call;
};

static napi_value batch_result(napi_env env, napi_value keys, napi_value values, uint32_t count, bool done)
{
	napi_value out;

	napi_create_object(env, &out);
	set(env, out, "keys", keys);
	set(env, out, "values", values);
	set_num(env, out, "count", count);
	set(env, out, "done", js_bool(env, done));
	return out;
}

/* More at once would be refused by V8, which ends the process for want of memory. */
#define MAX_BATCH_BYTES ((size_t)1 << 30)

/*
 * mapLookupBatch(map, cursor, first, count, take): up to `count` entries from where the cursor stands, and out of the map with `take`.
 * null: this kind of map has no such batches (ENOTSUPP, kernel/bpf/syscall.c bpf_map_do_batch()), or the kernel has none (EINVAL before
 * 5.6). The cursor is the kernel's business: a bucket number of 4 bytes for hashes, a key for the others.
 */
napi_value map_lookup_batch(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	void *key_data, *value_data, *in;
	napi_value keys, values;
	struct bytes cursor;
	struct handle *h;
	bool first, take;
	uint32_t count;
	int err;

	if (!get_args(env, info, "my?u?", &h, &cursor, &first, &count, &take))
		return NULL;
	if (wrong_size(env, "cursor", cursor.len, h->key_size < 4 ? 4 : h->key_size))
		return NULL;
	if ((size_t)count * (h->key_size + (size_t)h->value_len) > MAX_BATCH_BYTES)
		return fail_range(env, "a batch of more than 1 GiB");
	keys = js_buffer(env, (size_t)h->key_size * count, &key_data);
	values = js_buffer(env, (size_t)h->value_len * count, &value_data);
	if (!keys || !values)
		return fail(env, "napi_create_arraybuffer", ENOMEM);
	in = first ? NULL : cursor.data;
	if (take)
		err = bpf_map_lookup_and_delete_batch(h->fd, in, cursor.data, key_data, value_data, &count, &opts);
	else
		err = bpf_map_lookup_batch(h->fd, in, cursor.data, key_data, value_data, &count, &opts);
	if (first && (err == -ENOTSUPP || err == -EOPNOTSUPP || err == -EINVAL))
		return js_null(env);
	if (err && err != -ENOENT)
		return fail(env, take ? "bpf_map_lookup_and_delete_batch" : "bpf_map_lookup_batch", err);
	return batch_result(env, keys, values, count, err == -ENOENT);
}

/* Whether packed bytes are whole entries, and how many. */
static bool count_entries(napi_env env, const char *what, size_t bytes, uint32_t size, uint32_t *count)
{
	char message[128];

	if (size && bytes % size == 0 && bytes / size <= UINT32_MAX) {
		*count = (uint32_t)(bytes / size);
		return true;
	}
	snprintf(message, sizeof(message), "the packed %ss have %zu bytes, which is no multiple of the map's %u", what,
		 bytes, size);
	fail_range(env, message);
	return false;
}

/* The kernel has no batch for this: it says so before it has looked at the first entry, and leaves the count as it was. */
static bool unsupported(int err, uint32_t count, uint32_t asked)
{
	return count == asked && (err == -ENOTSUPP || err == -EOPNOTSUPP || err == -EINVAL);
}

static void update_each(const struct handle *h, const uint8_t *keys, const uint8_t *values, uint32_t count,
			uint64_t flags, struct outcome *out)
{
	out->call = "bpf_map_update_elem";
	for (; out->done < count && !out->err; out->done += !out->err)
		out->err = bpf_map_update_elem(h->fd, keys + (size_t)out->done * h->key_size,
					       values + (size_t)out->done * h->value_len, flags);
}

/* Throws with the number of entries that were done, as `count` of the error. */
static napi_value fail_after(napi_env env, const struct outcome *out)
{
	napi_value error;

	fail(env, out->call, out->err);
	if (napi_get_and_clear_last_exception(env, &error) != napi_ok)
		return NULL;
	set_num(env, error, "count", out->done);
	napi_throw(env, error);
	return NULL;
}

/* mapUpdateBatch(map, keys, values, flags): both packed */
napi_value map_update_batch(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t flags, count, values_count, done;
	struct outcome out = {};
	struct bytes keys, values;
	struct handle *h;

	if (!get_args(env, info, "myyu", &h, &keys, &values, &flags))
		return NULL;
	if (!count_entries(env, "key", keys.len, h->key_size, &count) ||
	    !count_entries(env, "value", values.len, h->value_len, &values_count))
		return NULL;
	if (count != values_count)
		return fail_range(env, "there are not as many packed values as packed keys");
	if (!count)
		return NULL;
	done = count;
	out.call = "bpf_map_update_batch";
	/* elem_flags other than BPF_F_LOCK are EINVAL: generic_map_update_batch() in kernel/bpf/syscall.c. */
	out.err = flags == BPF_ANY ? bpf_map_update_batch(h->fd, keys.data, values.data, &done, &opts) : -ENOTSUPP;
	if (unsupported(out.err, done, count)) {
		out.err = 0;
		update_each(h, keys.data, values.data, count, flags, &out);
	} else {
		out.done = done;
	}
	return out.err ? fail_after(env, &out) : NULL;
}

/* One kernel batch from entry `at`: how many of it were deleted. Absent keys end a batch (ENOENT). */
static uint32_t delete_some(const struct handle *h, const uint8_t *keys, uint32_t count, struct outcome *out)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t done = count;

	out->call = "bpf_map_delete_batch";
	out->err = bpf_map_delete_batch(h->fd, keys, &done, &opts);
	if (!unsupported(out->err, done, count))
		return done;
	out->call = "bpf_map_delete_elem";
	out->err = bpf_map_delete_elem(h->fd, keys);
	return !out->err;
}

/* mapDeleteBatch(map, keys): how many of the packed keys were there */
napi_value map_delete_batch(napi_env env, napi_callback_info info)
{
	struct outcome out = {};
	uint32_t count, at = 0;
	struct handle *h;
	struct bytes keys;

	if (!get_args(env, info, "my", &h, &keys) || !count_entries(env, "key", keys.len, h->key_size, &count))
		return NULL;
	while (at < count) {
		uint32_t n = delete_some(h, keys.data + (size_t)at * h->key_size, count - at, &out);

		at += n;
		out.done += n;
		if (out.err == -ENOENT)
			at++;
		else if (out.err)
			return fail_after(env, &out);
	}
	return js_num(env, out.done);
}
