/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libbpf for Node: the native half.
 *
 * Rules of this folder:
 *  - numbers, strings, bytes and tagged externals go in and out; classes and ownership live in TypeScript;
 *  - no JavaScript runs while libbpf is on the stack; libbpf's text is collected per call and travels in the error;
 *  - a call that works in another network namespace goes there and comes home before it returns, or aborts;
 *  - a file descriptor belongs to exactly one handle, and is closed with it.
 */
#ifndef LIBBPF_TS_ADDON_H
#define LIBBPF_TS_ADDON_H

#define _GNU_SOURCE
#define NAPI_VERSION 8

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PATH_LEN 4096
#define NAME_LEN 256
#define ENOTSUPP 524 /* include/linux/errno.h: not for user space, yet bpf(2) returns it */

/* ---- text.c: a growing buffer ---------------------------------------------------------------------------------- */

struct text {
	char *data;
	size_t len;
	size_t cap;
};

/* Makes room for `extra` more bytes and returns where they go, or NULL when memory is out. Does not change `len`. */
char *text_reserve(struct text *t, size_t extra);
/* Appends; what memory has no room for is left out. */
void text_copy(struct text *to, const struct text *from);
void text_free(struct text *t);

/* ---- log.c: what libbpf said during this thread's current call -------------------------------------------------- */

void log_install(void);
void log_reset(void);
/* Whether what the verifier says of programs that it lets pass is kept as well. */
void log_keep_verifier(bool on);
const struct text *log_current(void);
/* Frees this thread's text: its environment ends. */
void log_release(void);

/* ---- errors.c: every function throws and returns NULL, so that callers can return its result -------------------- */

struct addon {
	napi_ref error_class;
};

/* A failed system or libbpf call; `err` is an errno or a libbpf code of either sign. */
napi_value fail(napi_env env, const char *syscall, int err);
napi_value fail_with_log(napi_env env, const char *syscall, int err, const struct text *log);
/* The same as a value, for promises. */
napi_value error_value(napi_env env, const char *syscall, int err, const struct text *log);
/* An error of this library's own, with a code of src/errors.ts. */
napi_value fail_own(napi_env env, const char *code, const char *message);
napi_value fail_type(napi_env env, const char *message);
napi_value fail_range(napi_env env, const char *message);
napi_value error_set_class(napi_env env, napi_callback_info info);

/* ---- handle.c: externals that own something --------------------------------------------------------------------- */

/* KIND_ANY: whichever has a descriptor; only for asking. */
enum kind { KIND_OBJECT, KIND_RING, KIND_MAP, KIND_PROGRAM, KIND_LINK, KIND_STATISTICS, KIND_ANY };

/* What a map, program or link handle holds. The sizes are the kernel's, so buffers are checked against the truth. */
struct handle {
	enum kind kind;
	int fd; /* -1 once closed */
	uint32_t key_size;
	uint32_t value_len; /* bytes that one value takes in bpf(2): all CPUs' copies for a per-CPU map */
	uint32_t max_entries;
};

/* bpf_map__reuse_fd() gives a map the name of the one it is replaced by, so the names that the ELF file gives are kept here. */
struct declared_map {
	struct bpf_map *map;
	char *name;
};

struct object {
	struct bpf_object *obj; /* NULL once closed */
	void *elf;		/* copy of the bytes it was opened from, if any */
	struct declared_map *maps;
	size_t maps_len;
};

/* TypeScript has looked the name up before; NULL with ERR_NOT_FOUND pending means that it did not. */
struct bpf_map *object_find_map(napi_env env, const struct object *o, const char *name);
struct bpf_program *object_find_program(napi_env env, struct object *o, const char *name);

/* Wraps `fd` (which it takes over, also on failure) as a handle of that kind. */
napi_value handle_new(napi_env env, enum kind kind, int fd);
napi_value external_new(napi_env env, enum kind kind, void *data, napi_finalize finalize);
/* The pointer inside an external of that kind, or NULL with a TypeError pending. */
void *external_get(napi_env env, napi_value value, enum kind kind);

napi_value handle_open_pinned(napi_env env, napi_callback_info info);
napi_value handle_open_by_id(napi_env env, napi_callback_info info);
napi_value handle_next_id(napi_env env, napi_callback_info info);
napi_value handle_fd(napi_env env, napi_callback_info info);
napi_value handle_pin(napi_env env, napi_callback_info info);
napi_value handle_close(napi_env env, napi_callback_info info);

/* ---- args.c: arguments in ---------------------------------------------------------------------------------------- */

struct bytes {
	uint8_t *data;
	size_t len;
};

/*
 * Starts a call: clears the thread's log and reads the arguments that `fmt` names. False: an exception is pending.
 *
 *   i  int32_t *                      u  uint32_t *                 ?  bool *
 *   s  char *, size_t (whole or it throws)                          y  struct bytes *, a Uint8Array
 *   f  napi_value *, a function       k  enum kind *, of a handle
 *   o  struct object **, open         O  the same, possibly closed
 *   m  p  l  struct handle ** of a map, program, link, open
 *   h  struct handle ** of any kind with a descriptor, open                   H  the same, possibly closed
 *   r  void **, a ring
 */
bool get_args(napi_env env, napi_callback_info info, const char *fmt, ...);

/* ---- values.c: values out ---------------------------------------------------------------------------------------- */

napi_value js_undefined(napi_env env);
napi_value js_null(napi_env env);
napi_value js_bool(napi_env env, bool v);
napi_value js_num(napi_env env, double v);
napi_value js_str(napi_env env, const char *s);
/* A new Uint8Array with a copy of the bytes. */
napi_value js_bytes(napi_env env, const void *data, size_t len);
/* A new, zeroed Uint8Array; `data` is set to its memory. */
napi_value js_buffer(napi_env env, size_t len, void **data);
void set(napi_env env, napi_value obj, const char *name, napi_value v);
void set_num(napi_env env, napi_value obj, const char *name, double v);
void set_big(napi_env env, napi_value obj, const char *name, uint64_t v);
void set_str(napi_env env, napi_value obj, const char *name, const char *s);

/* ---- netns.c ---------------------------------------------------------------------------------------------------- */

/* Enters the namespace, or stays when netns_fd < 0. Returns 0 or -errno; `home` is for netns_leave(). */
int netns_enter(int netns_fd, int *home);
/* Comes home. Aborts the process when it cannot: going on in a foreign namespace would be worse. */
void netns_leave(int home);
napi_value netns_cookie(napi_env env, napi_callback_info info);

/* ---- job.c: calls on a pool thread ------------------------------------------------------------------------------- */

struct job {
	void (*run)(struct job *job); /* sets `result` and `step`; runs on a pool thread, or by hand on any */
	/* What a job that went well yields; NULL: undefined. May throw and return NULL. */
	napi_value (*value)(napi_env env, const struct job *job);
	int result;	  /* -errno, or else what `value` makes of it */
	const char *step; /* the call that failed, if one did */
	struct text log;  /* what libbpf said of that */
	int fds[4];	  /* descriptors it works with, -1: none */
	napi_async_work work;
	napi_deferred deferred;
};

/* For a job whose result is a link's descriptor. */
napi_value job_link(napi_env env, const struct job *job);

/* Queues a job from malloc(), which it takes over in any case, and returns its promise. The descriptors are duplicated. */
napi_value job_start(napi_env env, struct job *job, const char *name);

/* ---- the functions that JavaScript sees ------------------------------------------------------------------------- */

/* bpf(2) with an attribute of our own: the kernel's newest fields are missing in the headers libbpf was built with. */
int sys_bpf(int cmd, void *attr, unsigned int size);

napi_value object_open_file(napi_env env, napi_callback_info info);
napi_value object_open_mem(napi_env env, napi_callback_info info);
napi_value object_close(napi_env env, napi_callback_info info);
napi_value object_maps(napi_env env, napi_callback_info info);
napi_value object_programs(napi_env env, napi_callback_info info);
napi_value object_set_max_entries(napi_env env, napi_callback_info info);
napi_value object_reuse_map(napi_env env, napi_callback_info info);
napi_value object_set_autoload(napi_env env, napi_callback_info info);
napi_value object_set_program_type(napi_env env, napi_callback_info info);
napi_value object_set_value_size(napi_env env, napi_callback_info info);
napi_value object_initial_value(napi_env env, napi_callback_info info);
napi_value object_set_initial_value(napi_env env, napi_callback_info info);
napi_value object_load(napi_env env, napi_callback_info info);
napi_value object_map(napi_env env, napi_callback_info info);
napi_value object_program(napi_env env, napi_callback_info info);

napi_value object_btf(napi_env env, napi_callback_info info);
napi_value btf_by_id(napi_env env, napi_callback_info info);
napi_value map_types(napi_env env, napi_callback_info info);

/* Throws a RangeError unless the bytes given for `what` are exactly as many as the map's. */
bool wrong_size(napi_env env, const char *what, size_t have, size_t need);

napi_value map_create(napi_env env, napi_callback_info info);
napi_value map_info(napi_env env, napi_callback_info info);
napi_value map_lookup(napi_env env, napi_callback_info info);
napi_value map_lookup_into(napi_env env, napi_callback_info info);
napi_value map_update(napi_env env, napi_callback_info info);
napi_value map_take(napi_env env, napi_callback_info info);
napi_value map_delete(napi_env env, napi_callback_info info);
napi_value map_lookup_batch(napi_env env, napi_callback_info info);
napi_value map_update_batch(napi_env env, napi_callback_info info);
napi_value map_delete_batch(napi_env env, napi_callback_info info);
napi_value map_keys(napi_env env, napi_callback_info info);
napi_value map_freeze(napi_env env, napi_callback_info info);
napi_value possible_cpus(napi_env env, napi_callback_info info);

napi_value program_info(napi_env env, napi_callback_info info);
napi_value program_statistics(napi_env env, napi_callback_info info);
napi_value enable_statistics(napi_env env, napi_callback_info info);
napi_value program_test_run(napi_env env, napi_callback_info info);

napi_value link_info(napi_env env, napi_callback_info info);
napi_value link_info_async(napi_env env, napi_callback_info info);
napi_value link_update(napi_env env, napi_callback_info info);
napi_value link_detach(napi_env env, napi_callback_info info);
napi_value link_detach_async(napi_env env, napi_callback_info info);
napi_value link_create(napi_env env, napi_callback_info info);
napi_value link_create_async(napi_env env, napi_callback_info info);
napi_value program_attach(napi_env env, napi_callback_info info);
napi_value program_detach(napi_env env, napi_callback_info info);
napi_value tcx_query(napi_env env, napi_callback_info info);
napi_value tcx_query_async(napi_env env, napi_callback_info info);
napi_value target_query(napi_env env, napi_callback_info info);

napi_value clsact_attach(napi_env env, napi_callback_info info);
napi_value clsact_attach_async(napi_env env, napi_callback_info info);
napi_value clsact_detach(napi_env env, napi_callback_info info);
napi_value clsact_query(napi_env env, napi_callback_info info);

napi_value ring_open(napi_env env, napi_callback_info info);
napi_value ring_consume(napi_env env, napi_callback_info info);
napi_value ring_pause(napi_env env, napi_callback_info info);
napi_value ring_ref(napi_env env, napi_callback_info info);
napi_value ring_close(napi_env env, napi_callback_info info);

napi_value probe_bpf(napi_env env, napi_callback_info info);
napi_value probe_program_type(napi_env env, napi_callback_info info);
napi_value probe_map_type(napi_env env, napi_callback_info info);
napi_value probe_helper(napi_env env, napi_callback_info info);
napi_value probe_tcx(napi_env env, napi_callback_info info);
napi_value probe_netfilter(napi_env env, napi_callback_info info);
napi_value probe_batch(napi_env env, napi_callback_info info);
napi_value type_name(napi_env env, napi_callback_info info);
napi_value version(napi_env env, napi_callback_info info);

#endif
