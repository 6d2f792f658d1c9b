/* SPDX-License-Identifier: Apache-2.0 */
/* Which pods may start without the agent's yes: docs/cni-plugin.md, "When the agent is away". */
#pragma once

#include "pod.h"
#include "settings.h"

enum exemption {
	NOT_EXEMPT,
	EXEMPT_NAMESPACE, /* starts when there is no answer */
	EXEMPT_AGENT,	  /* starts whatever the answer is */
};

/* A pod of a namespace that is not labelled is not exempt: only the agent knows labels. */
enum exemption exemption_of(const struct settings *settings, const struct pod *pod);
