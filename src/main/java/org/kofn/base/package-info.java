/**
 * What every room of the house needs: errors with their exit code, files that are written whole or not at all, and the
 * nearest right name for a misspelt one. Knows nothing of tensors.
 */
package org.kofn.base;
