/* SPDX-License-Identifier: Apache-2.0 */
#include "name.h"

/* IFNAMSIZ of <linux/if.h>, with the NUL. */
#define INTERFACE_NAME_SIZE 16

/* isalnum() asks the locale. */
static bool is_alphanumeric(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_cni_name(const char *text)
{
	if (!is_alphanumeric(*text))
		return false;
	while (is_alphanumeric(*text) || *text == '_' || *text == '.' || *text == '-')
		text++;
	return *text == '\0';
}

bool is_interface_name(const char *text)
{
	size_t length = strlen(text);
	if (length == 0 || length >= INTERFACE_NAME_SIZE || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return false;
	return strcspn(text, "/: \t\n\v\f\r") == length;
}
