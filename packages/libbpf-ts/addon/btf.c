// SPDX-License-Identifier: Apache-2.0
/* BTF as bytes: TypeScript reads it. */
#include "addon.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* objectBtf(object): the object's types, with the offsets of its data sections' variables filled in; undefined: it has none */
napi_value object_btf(napi_env env, napi_callback_info info)
{
	const struct btf *btf;
	const void *data;
	struct object *o;
	uint32_t len;

	if (!get_args(env, info, "o", &o))
		return NULL;
	btf = bpf_object__btf(o->obj);
	if (!btf)
		return js_undefined(env);
	data = btf__raw_data(btf, &len);
	return data ? js_bytes(env, data, len) : fail(env, "btf__raw_data", ENOMEM);
}

/* Reads the BTF behind a descriptor, in two steps: how long, then what. */
static napi_value read_btf(napi_env env, int fd)
{
	struct bpf_btf_info btf = {};
	uint32_t len = sizeof(btf), size;
	napi_value out;
	void *data;

	if (bpf_obj_get_info_by_fd(fd, &btf, &len))
		return fail(env, "bpf_obj_get_info_by_fd", errno);
	size = btf.btf_size;
	out = js_buffer(env, size, &data);
	if (!out)
		return fail(env, "napi_create_arraybuffer", ENOMEM);
	btf = (struct bpf_btf_info){ .btf = (uintptr_t)data, .btf_size = size };
	len = sizeof(btf);
	if (bpf_obj_get_info_by_fd(fd, &btf, &len))
		return fail(env, "bpf_obj_get_info_by_fd", errno);
	return out;
}

/* btfById(id): the types that the kernel keeps under that id */
napi_value btf_by_id(napi_env env, napi_callback_info info)
{
	napi_value out;
	uint32_t id;
	int fd;

	if (!get_args(env, info, "u", &id))
		return NULL;
	fd = bpf_btf_get_fd_by_id(id);
	if (fd < 0)
		return fail(env, "bpf_btf_get_fd_by_id", fd);
	out = read_btf(env, fd);
	close(fd);
	return out;
}

/* mapTypes(map): { btfId, keyTypeId, valueTypeId } as the kernel keeps them; undefined: the map was made without */
napi_value map_types(napi_env env, napi_callback_info info)
{
	struct bpf_map_info map = {};
	uint32_t len = sizeof(map);
	struct handle *h;
	napi_value out;

	if (!get_args(env, info, "m", &h))
		return NULL;
	if (bpf_obj_get_info_by_fd(h->fd, &map, &len))
		return fail(env, "bpf_obj_get_info_by_fd", errno);
	if (!map.btf_id)
		return js_undefined(env);
	napi_create_object(env, &out);
	set_num(env, out, "btfId", map.btf_id);
	set_num(env, out, "keyTypeId", map.btf_key_type_id);
	set_num(env, out, "valueTypeId", map.btf_value_type_id);
	return out;
}
