/* SPDX-License-Identifier: Apache-2.0 */
/* Which pods may start although the agent has no answer for them: docs/cni-plugin.md, "When the agent is away". */
#pragma once

#include "pod.h"
#include "settings.h"

/*
 * Why this pod does not need the agent; NULL when it does. A pod of a namespace that is not labelled needs it too: only the agent
 * knows labels.
 */
const char *exemption(const struct settings *settings, const struct pod *pod);
