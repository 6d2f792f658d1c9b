/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GC: tells the agent which attachments are still valid. It forgets others whose namespace is gone: docs/cni-
 * socket.md.
 */
#include "agent.h"
#include "call.h"
#include "request.h"

bool command_gc(struct call *call)
{
	static char buffer[LONGEST_LINE];
	struct writer request = { .buffer = buffer, .size = sizeof(buffer) };
	struct deadline deadline = deadline_after(call->started, call->settings.deadline_seconds * 1000);
	return write_gc_request(&request, &call->config, call->error) &&
	       ask_agent(&call->settings, written(&request), deadline, call->error) == ANSWER_OK;
}
