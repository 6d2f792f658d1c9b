/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DEL: tells the agent, and succeeds whatever becomes of it: a pod that cannot be removed is worse than an agent that
 * learns of it from the kernel, when the interface goes (CNI specification, section 2, "DEL").
 */
#include "agent.h"
#include "call.h"
#include "log.h"
#include "request.h"

/* The agent answers a DEL at once. */
#define DEL_MS 5000

bool command_del(struct call *call)
{
	static char buffer[LONGEST_LINE];
	struct writer request = { .buffer = buffer, .size = sizeof(buffer) };
	if (!call->pod.present)
		return true;
	/* The agent does not look at it, and a runtime may hand in what is none. */
	call->config.prev_result = (struct slice){ .at = NULL };
	struct deadline deadline =
		deadline_sooner(deadline_after(call->started, DEL_MS),
				deadline_after(call->started, call->settings.deadline_seconds * 1000));
	if (!write_attachment_request(&request, &call->environment, &call->pod, &call->config, call->error) ||
	    ask_agent(&call->settings, written(&request), deadline, call->error) != ANSWER_OK)
		log_line(LOG_WARN, "the agent was not told of this DEL; it finds out from the kernel", "problem",
			 call->error->message, "details", call->error->details, NULL);
	return true;
}
