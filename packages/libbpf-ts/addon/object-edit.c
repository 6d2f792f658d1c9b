// SPDX-License-Identifier: Apache-2.0
/* What can be changed of an object before it is loaded. */
#include "addon.h"

#include <bpf/libbpf.h>

/* objectSetMaxEntries(object, map, n) */
napi_value object_set_max_entries(napi_env env, napi_callback_info info)
{
	char name[NAME_LEN];
	struct bpf_map *map;
	struct object *o;
	uint32_t n;
	int err;

	if (!get_args(env, info, "osu", &o, name, sizeof(name), &n))
		return NULL;
	map = object_find_map(env, o, name);
	if (!map)
		return NULL;
	err = bpf_map__set_max_entries(map, n);
	return err ? fail(env, "bpf_map__set_max_entries", err) : NULL;
}

/* objectReuseMap(object, name, map): libbpf duplicates the descriptor */
napi_value object_reuse_map(napi_env env, napi_callback_info info)
{
	struct handle *existing;
	char name[NAME_LEN];
	struct bpf_map *map;
	struct object *o;
	int err;

	if (!get_args(env, info, "osm", &o, name, sizeof(name), &existing))
		return NULL;
	map = object_find_map(env, o, name);
	if (!map)
		return NULL;
	err = bpf_map__reuse_fd(map, existing->fd);
	return err ? fail(env, "bpf_map__reuse_fd", err) : NULL;
}

/* objectSetAutoload(object, program, on) */
napi_value object_set_autoload(napi_env env, napi_callback_info info)
{
	struct bpf_program *prog;
	char name[NAME_LEN];
	struct object *o;
	bool on;
	int err;

	if (!get_args(env, info, "os?", &o, name, sizeof(name), &on))
		return NULL;
	prog = object_find_program(env, o, name);
	if (!prog)
		return NULL;
	err = bpf_program__set_autoload(prog, on);
	return err ? fail(env, "bpf_program__set_autoload", err) : NULL;
}

/* objectSetProgramType(object, program, type, attachType): where libbpf does not know the section */
napi_value object_set_program_type(napi_env env, napi_callback_info info)
{
	uint32_t type, attach_type;
	struct bpf_program *prog;
	char name[NAME_LEN];
	struct object *o;
	int err;

	if (!get_args(env, info, "osuu", &o, name, sizeof(name), &type, &attach_type))
		return NULL;
	prog = object_find_program(env, o, name);
	if (!prog)
		return NULL;
	err = bpf_program__set_type(prog, type);
	if (!err)
		err = bpf_program__set_expected_attach_type(prog, attach_type);
	return err ? fail(env, "bpf_program__set_type", err) : NULL;
}

/* objectSetValueSize(object, map, bytes) */
napi_value object_set_value_size(napi_env env, napi_callback_info info)
{
	char name[NAME_LEN];
	struct bpf_map *map;
	struct object *o;
	uint32_t size;
	int err;

	if (!get_args(env, info, "osu", &o, name, sizeof(name), &size))
		return NULL;
	map = object_find_map(env, o, name);
	if (!map)
		return NULL;
	err = bpf_map__set_value_size(map, size);
	return err ? fail(env, "bpf_map__set_value_size", err) : NULL;
}

/* objectInitialValue(object, map): undefined when the map has none (it is no data section) */
napi_value object_initial_value(napi_env env, napi_callback_info info)
{
	const struct bpf_map *map;
	char name[NAME_LEN];
	const void *value;
	struct object *o;
	size_t len = 0;

	if (!get_args(env, info, "os", &o, name, sizeof(name)))
		return NULL;
	map = object_find_map(env, o, name);
	if (!map)
		return NULL;
	value = bpf_map__initial_value((struct bpf_map *)map, &len);
	return value ? js_bytes(env, value, len) : js_undefined(env);
}

/* objectSetInitialValue(object, map, bytes) */
napi_value object_set_initial_value(napi_env env, napi_callback_info info)
{
	char name[NAME_LEN];
	struct bpf_map *map;
	struct bytes value;
	struct object *o;
	int err;

	if (!get_args(env, info, "osy", &o, name, sizeof(name), &value))
		return NULL;
	map = object_find_map(env, o, name);
	if (!map)
		return NULL;
	if (value.len != bpf_map__value_size(map))
		return fail_range(env, "the initial value must be exactly as long as the data section");
	err = bpf_map__set_initial_value(map, value.data, value.len);
	return err ? fail(env, "bpf_map__set_initial_value", err) : NULL;
}
