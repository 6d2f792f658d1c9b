// SPDX-License-Identifier: Apache-2.0
/*
 * Calls that wait in the kernel (tcx for RCU grace periods, 10 ms and more; clsact for whoever holds rtnetlink's lock), on a
 * thread of libuv's pool. The thread touches no JavaScript, works on duplicates of the caller's descriptors, and is home in its
 * namespace when it returns.
 */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void job_free(struct job *job)
{
	for (size_t i = 0; i < ARRAY_SIZE(job->fds); i++)
		if (job->fds[i] >= 0)
			close(job->fds[i]);
	text_free(&job->log);
	free(job);
}

/* Replaces the borrowed descriptors by duplicates: the caller may close its own while the job waits. */
static int duplicate_fds(struct job *job)
{
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(job->fds); i++) {
		if (job->fds[i] < 0)
			continue;
		job->fds[i] = err ? -1 : fcntl(job->fds[i], F_DUPFD_CLOEXEC, 3);
		if (!err && job->fds[i] < 0)
			err = -errno;
	}
	return err;
}

static void execute(napi_env env, void *data)
{
	struct job *job = data;

	(void)env;
	log_reset();
	job->run(job);
	if (job->result < 0)
		text_copy(&job->log, log_current());
}

static napi_value job_value(napi_env env, const struct job *job)
{
	if (job->result < 0)
		return NULL;
	return job->value ? job->value(env, job) : js_undefined(env);
}

napi_value job_link(napi_env env, const struct job *job)
{
	return handle_new(env, KIND_LINK, job->result);
}

static void complete(napi_env env, napi_status status, void *data)
{
	struct job *job = data;
	napi_value value, error = NULL;

	if (status == napi_cancelled)
		job->result = -ECANCELED;
	value = job_value(env, job);
	if (value) {
		napi_resolve_deferred(env, job->deferred, value);
	} else {
		/* Either the call failed, or wrapping its result did and left an exception. */
		napi_get_and_clear_last_exception(env, &error);
		if (job->result < 0)
			error = error_value(env, job->step, job->result, &job->log);
		napi_reject_deferred(env, job->deferred, error);
	}
	napi_delete_async_work(env, job->work);
	job_free(job);
}

napi_value job_start(napi_env env, struct job *job, const char *name)
{
	int err = duplicate_fds(job);
	napi_value promise;

	if (err) {
		job_free(job);
		return fail(env, "fcntl", err);
	}
	napi_create_promise(env, &job->deferred, &promise);
	napi_create_async_work(env, NULL, js_str(env, name), execute, complete, job, &job->work);
	napi_queue_async_work(env, job->work);
	return promise;
}
