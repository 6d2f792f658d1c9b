/* SPDX-License-Identifier: Apache-2.0 */
#include "attachment.h"
#include "agent.h"
#include "exemption.h"
#include "log.h"
#include "request.h"

/* How long a pod that does not need the agent waits for it. The agent wants to know of it all the same: it may be the node proxy. */
#define EXEMPT_MS 2000

static bool may_pass(const struct call *call, const char *exempt)
{
	const char *why = exempt					  ? exempt
			  : call->settings.failure_policy == FAILURE_OPEN ? "failurePolicy is open"
									  : NULL;
	if (why)
		log_line(LOG_WARN, "no answer of the agent: the pod starts without it", "why", why, "problem",
			 call->error->message, "details", call->error->details, NULL);
	return why;
}

bool ask_about_attachment(struct call *call)
{
	static char buffer[LONGEST_LINE];
	struct writer request = { .buffer = buffer, .size = sizeof(buffer) };
	if (!write_attachment_request(&request, &call->environment, &call->pod, &call->config, call->error))
		return false;
	const char *exempt = exemption(&call->settings, &call->pod);
	struct deadline deadline = deadline_after(call->started, call->settings.deadline_seconds * 1000);
	if (exempt)
		deadline = deadline_sooner(deadline, deadline_after(call->started, EXEMPT_MS));
	switch (ask_agent(&call->settings, written(&request), deadline, call->error)) {
	case ANSWER_OK:
		return true;
	case ANSWER_REFUSED:
		return false;
	case ANSWER_NONE:
		return may_pass(call, exempt);
	}
	return false;
}
