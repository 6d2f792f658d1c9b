/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "call.h"

/*
 * Asks the agent about the call's attachment, for ADD and CHECK. What the agent says counts. Where it says nothing, or "try again later", pods
 * that do not need it pass, and all pods where failurePolicy is open; the others fail with code 11.
 */
bool ask_about_attachment(struct call *call);
