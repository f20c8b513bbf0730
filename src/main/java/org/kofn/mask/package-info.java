/**
 * Which candidates of a weight stay: layouts (granularity, groups, candidates, elements), budgets, and measures of
 * masks.
 */
package org.kofn.mask;
