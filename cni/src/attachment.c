/* SPDX-License-Identifier: Apache-2.0 */
#include "attachment.h"
#include "agent.h"
#include "exemption.h"
#include "log.h"
#include "request.h"

/*
 * How long a pod that does not need the agent waits for it. The agent wants to know of it all the same: it may be the
 * node proxy.
 */
#define EXEMPT_MS 2000

/* Why the pod starts although the agent does not say so; NULL when it does not start. */
static const char *reason_to_pass(const struct call *call, enum exemption exemption, enum answer answer)
{
	if (exemption == EXEMPT_AGENT)
		return "it is the agent's own";
	if (answer == ANSWER_REFUSED)
		return NULL;
	if (exemption == EXEMPT_NAMESPACE)
		return "its namespace is excluded";
	return call->settings.failure_policy == FAILURE_OPEN ? "failurePolicy is open" : NULL;
}

bool ask_about_attachment(struct call *call)
{
	static char buffer[LONGEST_LINE];
	struct writer request = { .buffer = buffer, .size = sizeof(buffer) };
	if (!write_attachment_request(&request, &call->environment, &call->pod, &call->config, call->error))
		return false;
	const enum exemption exemption = exemption_of(&call->settings, &call->pod);
	struct deadline deadline = deadline_after(call->started, call->settings.deadline_seconds * 1000);
	if (exemption != NOT_EXEMPT)
		deadline = deadline_sooner(deadline, deadline_after(call->started, EXEMPT_MS));
	const enum answer answer = ask_agent(&call->settings, written(&request), deadline, call->error);
	if (answer == ANSWER_OK)
		return true;
	const char *reason = reason_to_pass(call, exemption, answer);
	if (reason)
		log_line(LOG_WARN, "the pod starts without the agent's yes", "why", reason, "problem",
			 call->error->message, "details", call->error->details, NULL);
	return reason;
}
