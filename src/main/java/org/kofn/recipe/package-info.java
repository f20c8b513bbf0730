/**
 * What a run is to do: YAML read into typed records, every key checked where it is written, every default in one place.
 *
 * <p>A recipe goes through four small stages, each a class: {@link org.kofn.recipe.YamlTree} (text to a tree that knows
 * its lines), {@link org.kofn.recipe.Overrides} ({@code --set} on that tree), {@link org.kofn.recipe.Binder} (tree to
 * records, guided by nothing but the records themselves), and the records' own constructors (values and ranges).
 * {@link org.kofn.recipe.LayerPlan} then checks against a network what only a network can tell.
 *
 * <p>A new key is a new record component with its {@link org.kofn.recipe.Default}: reading, writing, overriding,
 * suggestions and the test of {@code docs/recipes.md} follow from it.
 */
package org.kofn.recipe;
