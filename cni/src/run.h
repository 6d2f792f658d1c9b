/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "call.h"

/*
 * Runs the command of the environment with stdin's network configuration. True on success: then `out` holds what goes
 * to stdout. False with `error` filled; `config.version` is the version it is told in, where it is known.
 */
bool run(struct call *call);
