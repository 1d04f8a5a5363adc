/* A network behind a C interface, as any runtime may offer one: here LibTorch (network_c.cpp), elsewhere ONNX, ggml or
 * TensorRT. */
#ifndef FEWSTEP_EXAMPLES_NETWORK_C_H
#define FEWSTEP_EXAMPLES_NETWORK_C_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct network network;

/* Null where it fails; `error` then holds why, in one line. */
network* network_open(const char* path, char* error, int error_size);
/* Numbers of a sample; classes, 0 where there are none. */
int network_numbers(const network* n);
int network_classes(const network* n);
/* out <- D(x, sigma) for a batch, one sample after the other; `classes`: one for each sample, or null. Not 0 where it
 * fails. */
int network_denoise(network* n, const float* x, float sigma, const int* classes, float* out, int samples);
void network_close(network* n);

#ifdef __cplusplus
}
#endif

#endif
