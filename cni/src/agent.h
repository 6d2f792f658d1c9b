/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "cni-error.h"
#include "deadline.h"
#include "settings.h"

enum answer {
	ANSWER_OK,
	ANSWER_REFUSED, /* the agent says no; `error` is what it says */
	ANSWER_NONE,	/* the agent is away, or says "try again later"; `error` has code 11 and says why */
};

/* Asks the agent, no longer than `deadline`. `request` is a whole line. */
enum answer ask_agent(const struct settings *settings, struct slice request, struct deadline deadline,
		      struct cni_error *error);
