// SPDX-License-Identifier: GPL-2.0
#include "fusexctl.h"

/* Bytes of the UTF-8 character at @s, 0 when there is none. */
static int utf8_length(const unsigned char *s)
{
	/* Neither longer than necessary, nor half a pair, nor too large. */
	unsigned char low = *s == 0xe0 ? 0xa0 : *s == 0xf0 ? 0x90 : 0x80;
	unsigned char high = *s == 0xed ? 0x9f : *s == 0xf4 ? 0x8f : 0xbf;
	int len, i;

	if (*s < 0x80)
		return 1;
	if (*s < 0xc2 || *s > 0xf4)
		return 0;
	len = *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4;
	if (s[1] < low || s[1] > high)
		return 0;
	for (i = 2; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

/* Paths are bytes, JSON is UTF-8: what is none is shown as such. */
static void put_string(const char *s)
{
	int len;

	putchar('"');
	for (; *s; s += len ? len : 1) {
		len = utf8_length((const unsigned char *)s);
		if (!len)
			printf("\\ufffd");
		else if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if (len == 1 && *s < 0x20)
			printf("\\u%04x", *s);
		else
			printf("%.*s", len, s);
	}
	putchar('"');
}

static void begin(struct json *j, const char *key)
{
	if (j->comma)
		putchar(',');
	if (j->depth)
		printf("\n%*s", (int)j->depth * 2, "");
	j->comma = true;
	if (key) {
		put_string(key);
		printf(": ");
	}
}

void json_open(struct json *j, const char *key, char bracket)
{
	begin(j, key);
	putchar(bracket);
	j->depth++;
	j->comma = false;
}

void json_close(struct json *j, char bracket)
{
	j->depth--;
	if (j->comma)
		printf("\n%*s", (int)j->depth * 2, "");
	putchar(bracket);
	j->comma = true;
	if (!j->depth)
		putchar('\n');
}

void json_string(struct json *j, const char *key, const char *value)
{
	begin(j, key);
	if (value)
		put_string(value);
	else
		printf("null");
}

void json_number(struct json *j, const char *key, unsigned long long value)
{
	begin(j, key);
	printf("%llu", value);
}
