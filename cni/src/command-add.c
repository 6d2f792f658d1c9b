/* SPDX-License-Identifier: Apache-2.0 */
/* ADD: the result of the plugin before this one, once the agent says that the pod may start. */
#include "attachment.h"
#include "call.h"
#include "log.h"
#include "result.h"

bool command_add(struct call *call)
{
	/* First, since a result that cannot be handed on fails the call whatever the agent says. */
	if (!write_result(call->out, &call->config, call->error))
		return false;
	if (!call->pod.present) {
		log_line(LOG_INFO, "the container is no pod of Kubernetes: handed on", NULL);
		return true;
	}
	return ask_about_attachment(call);
}
