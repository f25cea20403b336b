// SPDX-License-Identifier: GPL-2.0
/*
 * The options of -o.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "tap.h"

static bool flag;
static uint32_t number, word;
static uint64_t seconds;
static char *mount;

static const struct option_choice words[] = {
	{ "one", 1 }, { "two", 2 }, { NULL, 0 }
};

static char calls[64];

static int called(const char *value)
{
	size_t len = strlen(calls);

	snprintf(calls + len, sizeof(calls) - len, "%s", value);
	return *value ? 0 : -EINVAL;
}

static const struct option_desc table[] = {
	{ "flag", OPTION_FLAG, &flag, 0, 0, NULL, NULL, "", NULL },
	{ "number", OPTION_UINT, &number, 5, 10, NULL, "N", "", NULL },
	{ "seconds", OPTION_SECONDS, &seconds, 0, 0, NULL, "S", "", NULL },
	{ "word", OPTION_CHOICE, &word, 0, 0, words, "one|two", "", NULL },
	{ "call", OPTION_CALL, NULL, 0, 0, NULL, "TEXT", "", called },
	{ NULL, OPTION_FLAG, NULL, 0, 0, NULL, NULL, NULL, NULL }
};

static int parse(const char *text)
{
	free(mount);
	mount = NULL;
	flag = false;
	return options_parse(table, text, &mount);
}

static bool mounts_with(const char *text)
{
	return mount && !strcmp(mount, text);
}

static void test_values(void)
{
	ok(!parse("flag") && flag, "a flag");
	ok(!parse("") && !flag && !mount, "nothing at all");
	ok(!parse("number=7,word=two") && number == 7 && word == 2, "values");
	ok(!parse("seconds=1.5") && seconds == 1500000000, "a fraction");
	ok(!parse("seconds=0") && !seconds, "none");
	ok(!parse("call=a,flag,call=b\\,c") && !strcmp(calls, "ab,c"),
	   "any text, more than once");
	ok(!parse(",,flag,") && flag, "superfluous commas");
}

static void test_errors(void)
{
	static const char * const bad[] = {
		"nonsense", "flag=1", "number", "number=4", "number=11",
		"number=", "number=7x", "number=-7", "word", "word=three",
		"seconds=-1", "seconds=nan", "seconds=1e99", "seconds=x",
		"flag,nonsense", "ro,nonsense=1", "call=", "call",
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(parse(bad[i]) == -EINVAL, "%s is refused", bad[i]);
}

static void test_mount(void)
{
	ok(!parse("ro,flag,noatime") && mounts_with("ro,noatime"),
	   "those of the mount are collected");
	ok(!parse("source=a\\,b") && mounts_with("source=a\\,b"),
	   "commas in them stay escaped");
	ok(!parse("defaults,user,x-systemd.automount,_netdev,X-test=1") &&
	   !mount, "those of fstab are dropped");
}

static void test_next(void)
{
	char text[] = "a,b=c\\,d,,e", *rest = text;

	ok(!strcmp(options_next(&rest), "a"), "the first");
	ok(!strcmp(options_next(&rest), "b=c\\,d"), "one with a comma");
	ok(!strcmp(options_next(&rest), ""), "an empty one");
	ok(!strcmp(options_next(&rest), "e"), "the last");
	ok(!options_next(&rest), "no more");
}

int main(void)
{
	test_values();
	test_errors();
	test_mount();
	test_next();
	free(mount);
	return tap_end();
}
