// SPDX-License-Identifier: GPL-2.0
#include "fusexctl.h"

static void put_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			printf("\\u%04x", *s);
		else
			putchar(*s);
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
