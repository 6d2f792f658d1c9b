/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network configuration on stdin: what every plugin is given (CNI specification, section 3, "Deriving request
 * configuration").
 */
#pragma once

#include "cni-error.h"
#include "cni-version.h"

struct network_config {
	struct slice object; /* the whole of it */
	const struct cni_version *version;
	struct slice prev_result; /* .at is NULL when there is none */
};

/*
 * Reads stdin's text for a command that came with version `since` of the specification. Fails with code 6 where it is
 * no JSON object, 1 for a version that this plugin does not keep or that does not have the command, 7 for a name or a
 * prevResult that is none. Once it knows the version, `config->version` is set, also when it fails.
 */
bool read_network_config(struct slice text, const char *since, struct network_config *config, struct cni_error *error);
