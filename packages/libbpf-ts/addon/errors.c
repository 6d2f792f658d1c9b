// SPDX-License-Identifier: Apache-2.0
#include "addon.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct code {
	int err;
	const char *name;
};

/* enum libbpf_errno of <bpf/libbpf.h> */
static const struct code libbpf_codes[] = {
	{ LIBBPF_ERRNO__LIBELF, "LIBBPF_LIBELF" },     { LIBBPF_ERRNO__FORMAT, "LIBBPF_FORMAT" },
	{ LIBBPF_ERRNO__KVERSION, "LIBBPF_KVERSION" }, { LIBBPF_ERRNO__ENDIAN, "LIBBPF_ENDIAN" },
	{ LIBBPF_ERRNO__INTERNAL, "LIBBPF_INTERNAL" }, { LIBBPF_ERRNO__RELOC, "LIBBPF_RELOC" },
	{ LIBBPF_ERRNO__LOAD, "LIBBPF_LOAD" },	       { LIBBPF_ERRNO__VERIFY, "LIBBPF_VERIFY" },
	{ LIBBPF_ERRNO__PROG2BIG, "LIBBPF_PROG2BIG" }, { LIBBPF_ERRNO__KVER, "LIBBPF_KVER" },
	{ LIBBPF_ERRNO__PROGTYPE, "LIBBPF_PROGTYPE" }, { LIBBPF_ERRNO__WRNGPID, "LIBBPF_WRNGPID" },
	{ LIBBPF_ERRNO__INVSEQ, "LIBBPF_INVSEQ" },     { LIBBPF_ERRNO__NLPARSE, "LIBBPF_NLPARSE" },
};

/* Those that bpf(2) and libbpf return and libuv has no name for. */
static const struct code more_codes[] = {
	{ ENOTSUPP, "ENOTSUPP" }, { ESTALE, "ESTALE" },	  { EBADFD, "EBADFD" }, { ENOLINK, "ENOLINK" },
	{ ENOPKG, "ENOPKG" },	  { EUCLEAN, "EUCLEAN" }, { EDQUOT, "EDQUOT" },
};

static const char *find_code(const struct code *codes, size_t n, int err)
{
	for (size_t i = 0; i < n; i++)
		if (codes[i].err == err)
			return codes[i].name;
	return NULL;
}

static const char *code_name(int err, char *buf, size_t len)
{
	const char *name = find_code(libbpf_codes, ARRAY_SIZE(libbpf_codes), err);

	if (!name)
		name = find_code(more_codes, ARRAY_SIZE(more_codes), err);
	if (name)
		return name;
	uv_err_name_r(-err, buf, len);
	if (strncmp(buf, "Unknown", 7) == 0)
		snprintf(buf, len, "ERRNO_%d", err);
	return buf;
}

static void describe(int err, char *buf, size_t len)
{
	if (err == ENOTSUPP)
		snprintf(buf, len, "Operation is not supported");
	else
		libbpf_strerror(err, buf, len);
}

/* new LibbpfError(syscall, code, errno, description, log): runs JavaScript, but libbpf has returned. */
static napi_value new_error(napi_env env, const char *syscall, const char *code, int err, const char *description,
			    const struct text *log)
{
	napi_value class, argv[5], error = NULL;
	struct addon *addon = NULL;

	napi_get_instance_data(env, (void **)&addon);
	napi_get_reference_value(env, addon->error_class, &class);
	argv[0] = js_str(env, syscall);
	argv[1] = js_str(env, code);
	argv[2] = js_num(env, -err);
	argv[3] = js_str(env, description);
	napi_create_string_utf8(env, log && log->len ? log->data : "", log ? log->len : 0, &argv[4]);
	napi_new_instance(env, class, ARRAY_SIZE(argv), argv, &error);
	return error;
}

napi_value error_value(napi_env env, const char *syscall, int err, const struct text *log)
{
	char code[64], description[256];

	err = abs(err);
	describe(err, description, sizeof(description));
	return new_error(env, syscall, code_name(err, code, sizeof(code)), err, description, log);
}

static napi_value throw(napi_env env, napi_value error)
{
	if (error) /* else the constructor itself threw, and that is pending */
		napi_throw(env, error);
	return NULL;
}

napi_value fail_with_log(napi_env env, const char *syscall, int err, const struct text *log)
{
	return throw(env, error_value(env, syscall, err, log));
}

napi_value fail(napi_env env, const char *syscall, int err)
{
	return fail_with_log(env, syscall, err, log_current());
}

napi_value fail_own(napi_env env, const char *code, const char *message)
{
	return throw(env, new_error(env, "", code, 0, message, log_current()));
}

napi_value fail_type(napi_env env, const char *message)
{
	napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message);
	return NULL;
}

napi_value fail_range(napi_env env, const char *message)
{
	napi_throw_range_error(env, "ERR_OUT_OF_RANGE", message);
	return NULL;
}

/* setErrorClass(class): called once, by src/native.ts, before anything else. */
napi_value error_set_class(napi_env env, napi_callback_info info)
{
	struct addon *addon = NULL;
	napi_value class;

	napi_get_instance_data(env, (void **)&addon);
	if (!get_args(env, info, "f", &class))
		return NULL;
	if (addon->error_class)
		napi_delete_reference(env, addon->error_class);
	napi_create_reference(env, class, 1, &addon->error_class);
	return NULL;
}
