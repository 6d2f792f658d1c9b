/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which pod a container is, as the container runtimes say in CNI_ARGS:
 * `K8S_POD_NAMESPACE=shop;K8S_POD_NAME=cart;K8S_POD_UID=…`.
 */
#pragma once

#include "cni-error.h"

struct pod {
	bool present; /* false: the container is no pod of Kubernetes, none of the three is said */
	struct slice namespace, name, uid;
};

/*
 * Fails with code 4 where CNI_ARGS is not made of pairs, or says only a part of the three. The uid is needed because
 * the name of a pod is used again, by a StatefulSet at once.
 */
bool read_pod(const char *args, struct pod *pod, struct cni_error *error);
