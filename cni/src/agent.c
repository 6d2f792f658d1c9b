/* SPDX-License-Identifier: Apache-2.0 */
#include "agent.h"
#include "exchange.h"
#include "reply.h"
#include "request.h"

static enum answer no_answer(const struct settings *settings, const struct exchange_failure *failure,
			     struct cni_error *error)
{
	fail(error, CNI_TRY_AGAIN_LATER,
	     "Millrace's agent gave no answer on %s; see that its pod runs on this node, and try again",
	     settings->socket);
	because(error, "%s%s%s", failure->what, failure->error ? ": " : "",
		failure->error ? strerror(failure->error) : "");
	return ANSWER_NONE;
}

enum answer ask_agent(const struct settings *settings, struct slice request, struct deadline deadline,
		      struct cni_error *error)
{
	static char buffer[LONGEST_LINE];
	struct exchange_failure failure;
	struct slice line;
	if (!exchange(settings->socket, request, deadline, buffer, sizeof(buffer), &line, &failure))
		return no_answer(settings, &failure, error);
	switch (read_reply(line, error)) {
	case REPLY_OK:
		return ANSWER_OK;
	case REPLY_REFUSED:
		return error->code == CNI_TRY_AGAIN_LATER ? ANSWER_NONE : ANSWER_REFUSED;
	case REPLY_NONSENSE:
		/* Whoever answers there, it is not this agent now: an upgrade may be under way. */
		error->code = CNI_TRY_AGAIN_LATER;
		return ANSWER_NONE;
	}
	return ANSWER_NONE;
}
