/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The comma-separated options of -o.
 *
 * A program describes its own in a table.  Options that every mount has are
 * collected for fusex_session_mount(), and anything else is an error that says
 * what there is.
 */
#ifndef FUSEX_TOOLS_OPTIONS_H
#define FUSEX_TOOLS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * enum option_type - what value an option has
 * @OPTION_FLAG: none; bool
 * @OPTION_UINT: a number; uint32_t
 * @OPTION_SECONDS: seconds, a fraction allowed; uint64_t, nanoseconds
 * @OPTION_CHOICE: one of some words; uint32_t, the value of the word
 * @OPTION_CALL: any text; option_desc.call takes it, @to is not used
 */
enum option_type {
	OPTION_FLAG,
	OPTION_UINT,
	OPTION_SECONDS,
	OPTION_CHOICE,
	OPTION_CALL,
};

/**
 * struct option_choice - a word of an OPTION_CHOICE
 * @word: the word, NULL at the end
 * @value: what it means
 */
struct option_choice {
	const char	*word;
	uint32_t	value;
};

/**
 * struct option_desc - an option of a program
 * @name: its name, NULL at the end of the table
 * @type: what value it has
 * @to: where the value goes, of the type that enum option_type says
 * @min: smallest OPTION_UINT
 * @max: largest OPTION_UINT
 * @choices: words of an OPTION_CHOICE
 * @arg: its value in the help text, NULL for none
 * @help: one line
 * @call: of an OPTION_CALL: takes the value each time the option is given; 0, or
 *	-errno after it was logged
 */
struct option_desc {
	const char			*name;
	enum option_type		type;
	void				*to;
	uint32_t			min;
	uint32_t			max;
	const struct option_choice	*choices;
	const char			*arg;
	const char			*help;
	int				(*call)(const char *value);
};

/**
 * options_parse() - take options apart
 * @table: the program's own
 * @text: the options
 * @mount: collects those of the mount, to be freed by the caller; *mount is
 *	NULL or what an earlier call collected
 *
 * A backslash takes away the meaning of the next character.
 *
 * Return: 0, or -EINVAL or -ENOMEM after it was logged.
 */
int options_parse(const struct option_desc *table, const char *text,
		  char **mount);

/**
 * options_append() - append to a comma-separated list
 * @list: the list, reallocated; *list may be NULL
 * @name: what to append
 * @value: with "=" and this, commas in it escaped; NULL for none
 *
 * Return: 0 or -ENOMEM.
 */
int options_append(char **list, const char *name, const char *value);

/**
 * options_source() - append what the mount is shown with, unless there is something
 * @list: options of the mount, reallocated; *list may be NULL
 * @source: path; as much of it as fsconfig(2) takes
 *
 * Return: 0 or -ENOMEM.
 */
int options_source(char **list, const char *source);

/**
 * options_has() - is an option there, and not taken back by another one after it?
 * @list: the options, may be NULL
 * @name: of the one
 * @other: of the other, or NULL
 */
bool options_has(const char *list, const char *name, const char *other);

/**
 * options_show() - what they come to: a list of NAME=VALUE
 * @table: the program's own; flags and what is called are left out
 *
 * Return: the list, to be freed, or NULL.
 */
char *options_show(const struct option_desc *table);

/** options_help() - print a table of the options to stdout */
void options_help(const struct option_desc *table);

/**
 * options_next() - cut the next option off a list
 * @rest: the list, changed; NULL at its end
 *
 * Return: the option, NUL-terminated, escapes still in it; NULL at the end.
 */
char *options_next(char **rest);

/**
 * options_is_mount() - is it one of those that every mount has?
 * @name: of the option
 */
bool options_is_mount(const char *name);

/**
 * options_is_fstab() - is it one that means something in fstab only?
 * @name: of the option
 */
bool options_is_fstab(const char *name);

#endif
