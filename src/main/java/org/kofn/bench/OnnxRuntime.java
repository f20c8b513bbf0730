package org.kofn.bench;

import java.lang.reflect.Method;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.kofn.base.KofnException;
import org.kofn.nn.Network;
import org.kofn.torch.Tensors;

/**
 * ONNX Runtime out of a jar that the user names, by reflection, since kofn does not depend on it. Its threads do not
 * spin once a run has ended, so that it does not take time from what is measured next.
 */
final class OnnxRuntime implements Engine.Loaded {
    private final URLClassLoader loader;
    private final Object environment;
    private final Object session;

    /**
     * Opens a model.
     *
     * @param jar {@code com.microsoft.onnxruntime:onnxruntime}
     * @throws KofnException (file) when the jar is none, or cannot read the model
     */
    OnnxRuntime(Path jar, Path model, int threads) {
        try {
            loader = new URLClassLoader(new URL[] {jar.toUri().toURL()}, ClassLoader.getPlatformClassLoader());
            environment = invoke(type("OrtEnvironment"), null, "getEnvironment");
            Object options = type("OrtSession$SessionOptions").getConstructor().newInstance();
            call(options, "setIntraOpNumThreads", threads);
            call(options, "setInterOpNumThreads", 1);
            call(options, "addConfigEntry", "session.force_spinning_stop", "1");
            session = call(environment, "createSession", model.toString(), options);
        } catch (MalformedURLException | ReflectiveOperationException | LinkageError e) {
            throw KofnException.file(e, "--onnxruntime: %s: no ONNX Runtime that runs %s: %s", jar, model, e);
        }
    }

    @Override
    public Tensor run(Tensor images) {
        try {
            FloatBuffer values = images.data_ptr_float()
                    .capacity(images.numel())
                    .asByteBuffer()
                    .asFloatBuffer();
            Object tensor =
                    invoke(type("OnnxTensor"), null, "createTensor", environment, values, Tensors.shape(images));
            try (AutoCloseable input = (AutoCloseable) tensor;
                    AutoCloseable result = (AutoCloseable) call(session, "run", Map.of(Network.INPUT, input))) {
                Iterator<?> outputs = ((Iterable<?>) result).iterator();
                Object output = ((Map.Entry<?, ?>) outputs.next()).getValue();
                float[][] scores = (float[][]) call(output, "getValue");
                Tensor all = torch.empty(scores.length, scores[0].length);
                for (int i = 0; i < scores.length; i++) {
                    all.data_ptr_float().getPointer((long) i * scores[i].length).put(scores[i]);
                }
                return all;
            }
        } catch (Exception e) {
            throw new IllegalStateException("ONNX Runtime", e);
        }
    }

    @Override
    public void close() {
        try {
            ((AutoCloseable) session).close();
            loader.close();
        } catch (Exception e) {
            throw new IllegalStateException("ONNX Runtime", e);
        }
    }

    private Class<?> type(String name) throws ClassNotFoundException {
        return Class.forName("ai.onnxruntime." + name, true, loader);
    }

    private static Object call(Object target, String method, Object... arguments) throws ReflectiveOperationException {
        return invoke(target.getClass(), target, method, arguments);
    }

    /** The public method of that name that takes these arguments. */
    private static Object invoke(Class<?> type, Object target, String name, Object... arguments)
            throws ReflectiveOperationException {
        for (Method method : type.getMethods()) {
            if (method.getName().equals(name) && takes(method.getParameterTypes(), arguments)) {
                return method.invoke(target, arguments);
            }
        }
        throw new NoSuchMethodException(type.getName() + "." + name);
    }

    private static boolean takes(Class<?>[] types, Object[] arguments) {
        boolean fits = types.length == arguments.length;
        for (int i = 0; fits && i < types.length; i++) {
            fits = types[i].isInstance(arguments[i]) || types[i] == int.class && arguments[i] instanceof Integer;
        }
        return fits;
    }
}
