/* SPDX-License-Identifier: Apache-2.0 */
/* CHECK: the agent compares the pod's redirection with the kernel. Nothing is printed on success. */
#include "attachment.h"
#include "call.h"

bool command_check(struct call *call)
{
	if (!call->config.prev_result.at)
		return fail(call->error, CNI_INVALID_CONFIG, "prevResult is missing: CHECK compares with it");
	return !call->pod.present || ask_about_attachment(call);
}
