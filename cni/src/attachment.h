/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "call.h"

/*
 * Asks the agent about the call's attachment, for ADD and CHECK. What the agent says counts, but for its own pods.
 * Where it says nothing, or "try again later", pods of excluded namespaces pass as well, and all pods where
 * failurePolicy is open; the others fail with code 11.
 */
bool ask_about_attachment(struct call *call);
