// SPDX-License-Identifier: GPL-2.0
/* The end of every program of tests. */
#include "tap.h"

int main(int argc, char **argv)
{
	return tap_main(argc, argv);
}
