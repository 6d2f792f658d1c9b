/* SPDX-License-Identifier: Apache-2.0 */
/* The result of an ADD: what the plugin before this one gave, in the version of the network configuration. */
#pragma once

#include "network-config.h"
#include "writer.h"

/*
 * Writes `prevResult` with the configuration's cniVersion. Between 0.x and 1.x the `version` of each of `ips` is
 * added or taken away, as libcni does it (pkg/types/100, convertTo04x and convertFrom04x); all else keeps its bytes,
 * keys that nobody knows included. Fails with code 1 where prevResult is of a version that is not kept, 7 where it
 * cannot be converted.
 */
bool write_result(struct writer *out, const struct network_config *config, struct cni_error *error);
