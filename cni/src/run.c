/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"
#include "input.h"
#include "log.h"
#include "request.h"

/* A runtime writes the configuration at once and closes; anything longer is a mistake. */
#define INPUT_MS 5000

/* As long as a request to the agent, which holds most of it. */
static char input_buffer[LONGEST_LINE];

static bool is_del(const struct call *call)
{
	return call->environment.command == CNI_DEL;
}

/*
 * A DEL goes on with defaults, and for a pod it cannot name: it must not fail for a mistake that somebody made since
 * the ADD.
 */
static bool tolerated(struct call *call)
{
	if (!is_del(call))
		return false;
	log_error("a DEL goes on in spite of this", call->error);
	return true;
}

static bool read_call(struct call *call, struct slice input)
{
	const struct environment *environment = &call->environment;
	if (!read_network_config(input, environment->since, &call->config, call->error))
		return false;
	if (!read_settings(call->config.object, &call->settings, call->error) && !tolerated(call))
		return false;
	log_to(call->settings.log_level, call->settings.log_file);
	if (environment->command == CNI_GC || environment->command == CNI_STATUS)
		return true;
	if (!read_pod(environment->args, environment->netns, &call->pod, call->error)) {
		call->pod.present = false;
		return tolerated(call);
	}
	return true;
}

static bool dispatch(struct call *call)
{
	switch (call->environment.command) {
	case CNI_ADD:
		return command_add(call);
	case CNI_DEL:
		return command_del(call);
	case CNI_CHECK:
		return command_check(call);
	case CNI_GC:
		return command_gc(call);
	case CNI_STATUS:
		return command_status(call);
	case CNI_VERSION:
		break;
	}
	return false;
}

bool run(struct call *call)
{
	struct slice input;
	if (!read_environment(&call->environment, call->error))
		return false;
	log_about(&call->environment, &call->pod);
	if (!read_input(input_buffer, sizeof(input_buffer), deadline_after(call->started, INPUT_MS), &input,
			call->error))
		return false;
	if (call->environment.command == CNI_VERSION)
		return command_version(call, input);
	if (!read_call(call, input) || !dispatch(call))
		return false;
	log_line(LOG_DEBUG, "done", NULL);
	return true;
}
