// SPDX-License-Identifier: Apache-2.0
#include "addon.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static void object_release(struct object *o)
{
	bpf_object__close(o->obj);
	free(o->elf);
	for (size_t i = 0; i < o->maps_len; i++)
		free(o->maps[i].name);
	free(o->maps);
	*o = (struct object){ 0 };
}

static void object_free(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	object_release(data);
	free(data);
}

static bool list_maps(struct object *o)
{
	struct bpf_map *map;
	size_t n = 0;

	bpf_object__for_each_map(map, o->obj) n++;
	o->maps = calloc(n ? n : 1, sizeof(*o->maps));
	if (!o->maps)
		return false;
	bpf_object__for_each_map(map, o->obj)
	{
		char *name = strdup(bpf_map__name(map));

		if (!name)
			return false;
		o->maps[o->maps_len++] = (struct declared_map){ map, name };
	}
	return true;
}

static napi_value object_new(napi_env env, struct bpf_object *obj, void *elf)
{
	struct object *o = malloc(sizeof(*o));
	napi_value out;

	if (!o) {
		bpf_object__close(obj);
		free(elf);
		return fail(env, "malloc", ENOMEM);
	}
	*o = (struct object){ .obj = obj, .elf = elf };
	if (!list_maps(o)) {
		object_free(env, o, NULL);
		return fail(env, "malloc", ENOMEM);
	}
	out = external_new(env, KIND_OBJECT, o, object_free);
	if (!out)
		object_free(env, o, NULL);
	return out;
}

/* objectOpenFile(path) */
napi_value object_open_file(napi_env env, napi_callback_info info)
{
	struct bpf_object *obj;
	char path[PATH_LEN];

	if (!get_args(env, info, "s", path, sizeof(path)))
		return NULL;
	obj = bpf_object__open_file(path, NULL);
	return obj ? object_new(env, obj, NULL) : fail(env, "bpf_object__open_file", errno);
}

/* objectOpenMem(elf, name): the bytes are copied, as JavaScript may change or free them while libbpf still has the ELF open. */
napi_value object_open_mem(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	struct bpf_object *obj;
	char name[NAME_LEN];
	struct bytes elf;
	void *copy;
	int err;

	if (!get_args(env, info, "ys", &elf, name, sizeof(name)))
		return NULL;
	if (!elf.len)
		return fail_range(env, "the ELF image is empty");
	copy = malloc(elf.len);
	if (!copy)
		return fail(env, "malloc", ENOMEM);
	memcpy(copy, elf.data, elf.len);
	opts.object_name = name;
	obj = bpf_object__open_mem(copy, elf.len, &opts);
	if (obj)
		return object_new(env, obj, copy);
	err = errno;
	free(copy);
	return fail(env, "bpf_object__open_mem", err);
}

/* objectClose(object): again is harmless */
napi_value object_close(napi_env env, napi_callback_info info)
{
	struct object *o;

	if (get_args(env, info, "O", &o) && o->obj)
		object_release(o);
	return NULL;
}

static napi_value map_spec(napi_env env, const struct declared_map *declared)
{
	const struct bpf_map *map = declared->map;
	napi_value out;

	napi_create_object(env, &out);
	set_str(env, out, "name", declared->name);
	set_num(env, out, "type", bpf_map__type(map));
	set_num(env, out, "keySize", bpf_map__key_size(map));
	set_num(env, out, "valueSize", bpf_map__value_size(map));
	set_num(env, out, "maxEntries", bpf_map__max_entries(map));
	set_num(env, out, "flags", bpf_map__map_flags(map));
	set_num(env, out, "keyTypeId", bpf_map__btf_key_type_id(map));
	set_num(env, out, "valueTypeId", bpf_map__btf_value_type_id(map));
	return out;
}

/* objectMaps(object): what the ELF file declares, as changed since */
napi_value object_maps(napi_env env, napi_callback_info info)
{
	struct object *o;
	napi_value list;

	if (!get_args(env, info, "o", &o))
		return NULL;
	napi_create_array(env, &list);
	for (size_t i = 0; i < o->maps_len; i++)
		napi_set_element(env, list, (uint32_t)i, map_spec(env, &o->maps[i]));
	return list;
}

static napi_value program_spec(napi_env env, const struct bpf_program *prog)
{
	napi_value out;

	napi_create_object(env, &out);
	set_str(env, out, "name", bpf_program__name(prog));
	set_str(env, out, "section", bpf_program__section_name(prog));
	set_num(env, out, "type", bpf_program__type(prog));
	set(env, out, "autoload", js_bool(env, bpf_program__autoload(prog)));
	return out;
}

/* objectPrograms(object) */
napi_value object_programs(napi_env env, napi_callback_info info)
{
	struct bpf_program *prog;
	struct object *o;
	napi_value list;
	uint32_t n = 0;

	if (!get_args(env, info, "o", &o))
		return NULL;
	napi_create_array(env, &list);
	bpf_object__for_each_program(prog, o->obj) napi_set_element(env, list, n++, program_spec(env, prog));
	return list;
}

struct bpf_map *object_find_map(napi_env env, const struct object *o, const char *name)
{
	for (size_t i = 0; i < o->maps_len; i++)
		if (strcmp(o->maps[i].name, name) == 0)
			return o->maps[i].map;
	fail_own(env, "ERR_NOT_FOUND", name);
	return NULL;
}

struct bpf_program *object_find_program(napi_env env, struct object *o, const char *name)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(o->obj, name);

	if (!prog)
		fail_own(env, "ERR_NOT_FOUND", name);
	return prog;
}

/* BPF_LOG_LEVEL1 | BPF_LOG_STATS of include/linux/bpf_verifier.h: the walk too, so that a refusal is explained as ever. */
#define LOG_STATISTICS 5

static int ask_statistics(const struct object *o)
{
	struct bpf_program *prog;
	int err = 0;

	bpf_object__for_each_program(prog, o->obj) if (!err) err = bpf_program__set_log_level(prog, LOG_STATISTICS);
	return err;
}

/*
 * objectLoad(object, statistics): what the verifier said, with statistics. On a refused program libbpf loads it again with a log
 * buffer of 16 MiB, the kernel's limit, so the verifier's whole text comes through the print callback.
 */
napi_value object_load(napi_env env, napi_callback_info info)
{
	const struct text *log = log_current();
	struct object *o;
	bool statistics;
	napi_value out;
	int err = 0;

	if (!get_args(env, info, "o?", &o, &statistics))
		return NULL;
	if (statistics)
		err = ask_statistics(o);
	log_keep_verifier(statistics);
	if (!err)
		err = bpf_object__load(o->obj);
	log_keep_verifier(false);
	if (err)
		return fail(env, "bpf_object__load", err);
	napi_create_string_utf8(env, log->len ? log->data : "", log->len, &out);
	return out;
}

/* A descriptor of our own for what the object holds: each of the two is closed by its owner. */
static napi_value duplicate(napi_env env, enum kind kind, int fd)
{
	int own;

	if (fd < 0)
		return fail_own(env, "ERR_NOT_LOADED", "the map or program is not loaded");
	own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return own < 0 ? fail(env, "fcntl", errno) : handle_new(env, kind, own);
}

/* objectMap(object, name): a map handle */
napi_value object_map(napi_env env, napi_callback_info info)
{
	char name[NAME_LEN];
	struct bpf_map *map;
	struct object *o;

	if (!get_args(env, info, "os", &o, name, sizeof(name)))
		return NULL;
	map = object_find_map(env, o, name);
	return map ? duplicate(env, KIND_MAP, bpf_map__fd(map)) : NULL;
}

/* objectProgram(object, name): a program handle */
napi_value object_program(napi_env env, napi_callback_info info)
{
	struct bpf_program *prog;
	char name[NAME_LEN];
	struct object *o;

	if (!get_args(env, info, "os", &o, name, sizeof(name)))
		return NULL;
	prog = object_find_program(env, o, name);
	return prog ? duplicate(env, KIND_PROGRAM, bpf_program__fd(prog)) : NULL;
}
