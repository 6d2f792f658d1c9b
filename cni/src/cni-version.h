/* SPDX-License-Identifier: Apache-2.0 */
/* The versions of the CNI specification that this plugin keeps. */
#pragma once

#include "slice.h"

struct cni_version {
	const char *text;
	/* Before 1.0.0 each of a result's `ips` says which family it is: `"version": "4"` or `"6"`. */
	bool ips_have_version;
};

/* Oldest first: CHECK came with 0.4.0, GC and STATUS with 1.1.0. Before 0.3.0 there were no chains. */
extern const struct cni_version cni_versions[];
extern const size_t cni_version_count;

#define CNI_NEWEST (&cni_versions[cni_version_count - 1])

/* NULL for a version that is not one of them. `string` is a JSON string. */
const struct cni_version *cni_version_find(struct slice string);

/* Whether `version` has what came with `since`, the text of one of the versions. */
bool cni_version_has(const struct cni_version *version, const char *since);

/* "0.3.0, 0.3.1, …" */
extern const char cni_version_list[];
