/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STATUS: would an ADD succeed now? Without an answer of the agent it would not, code 50, unless failurePolicy is
 * open; what the agent answers, 50 or 51, goes through.
 */
#include "agent.h"
#include "call.h"
#include "request.h"

/* Runtimes ask this often and in between other things. */
#define STATUS_MS 5000

bool command_status(struct call *call)
{
	char buffer[64];
	struct writer request = { .buffer = buffer, .size = sizeof(buffer) };
	write_status_request(&request);
	struct deadline deadline =
		deadline_sooner(deadline_after(call->started, STATUS_MS),
				deadline_after(call->started, call->settings.deadline_seconds * 1000));
	switch (ask_agent(&call->settings, written(&request), deadline, call->error)) {
	case ANSWER_OK:
		return true;
	case ANSWER_REFUSED:
		return false;
	case ANSWER_NONE:
		call->error->code = CNI_NOT_AVAILABLE;
		return call->settings.failure_policy == FAILURE_OPEN;
	}
	return false;
}
