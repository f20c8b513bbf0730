/**
 * The command line: thin commands that turn options into calls of the rooms below and results into text or JSON. No
 * logic of training, pruning or files lives here. Results go to standard output, everything said to a human on the way
 * goes to standard error.
 */
package org.kofn.cli;
