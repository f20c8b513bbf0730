package org.kofn.data;

/**
 * A line of {@code kofn data list}.
 *
 * @param name as recipes say it
 * @param channels of an image; 0 where that depends on the files, as do height, width, classes and the sizes then
 * @param height of an image
 * @param width of an image
 * @param classes number of classes
 * @param trainSize published number of training images
 * @param testSize published number of test images
 * @param licence licence and authors, in a line
 * @param present whether it can be loaded now
 * @param where the folder it is in, or would be
 */
public record DataInfo(
        String name,
        int channels,
        int height,
        int width,
        int classes,
        long trainSize,
        long testSize,
        String licence,
        boolean present,
        String where) {}
