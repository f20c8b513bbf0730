package org.kofn.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** A text table: columns as wide as their widest cell, two spaces apart, numbers to the right. */
final class Table {
    private final List<String> heads;
    private final List<List<String>> rows = new ArrayList<>();

    /** A table with these column heads. */
    Table(String... heads) {
        this.heads = List.of(heads);
    }

    /** Adds a row, one cell a column; null is shown as a dash. */
    Table row(Object... cells) {
        if (cells.length != heads.size()) {
            throw new IllegalArgumentException(cells.length + " cells for " + heads.size() + " columns");
        }
        List<String> row = new ArrayList<>();
        for (Object cell : cells) {
            row.add(cell == null ? "-" : cell.toString());
        }
        rows.add(row);
        return this;
    }

    /** The lines of the table, the heads first. */
    List<String> lines() {
        int[] widths = new int[heads.size()];
        boolean[] right = new boolean[heads.size()];
        for (int c = 0; c < widths.length; c++) {
            int column = c;
            widths[c] = Math.max(
                    heads.get(c).length(),
                    rows.stream()
                            .mapToInt(row -> row.get(column).length())
                            .max()
                            .orElse(0));
            right[c] = !rows.isEmpty() && rows.stream().allMatch(row -> isNumber(row.get(column)));
        }
        List<List<String>> all = new ArrayList<>();
        all.add(heads);
        all.addAll(rows);
        return all.stream().map(row -> line(row, widths, right)).collect(Collectors.toList());
    }

    private static String line(List<String> row, int[] widths, boolean[] right) {
        StringBuilder line = new StringBuilder();
        for (int c = 0; c < widths.length; c++) {
            String pad = " ".repeat(widths[c] - row.get(c).length());
            line.append(c == 0 ? "" : "  ").append(right[c] ? pad + row.get(c) : row.get(c) + pad);
        }
        return line.toString().stripTrailing();
    }

    /** Numbers, with units and fractions: {@code 1,024}, {@code 12/784}, {@code 97.5 %}, {@code 3.1 M}, or nothing. */
    private static boolean isNumber(String cell) {
        return cell.equals("-") || cell.matches("[-\\d][\\d,.]*(/\\d+)?( [%kMG]?B?)?");
    }
}
