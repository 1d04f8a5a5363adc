/* A network behind a C interface, as any inference runtime can offer it. Here LibTorch does (network_c.cpp). */
#ifndef FEWSTEP_EXAMPLES_NETWORK_C_H
#define FEWSTEP_EXAMPLES_NETWORK_C_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct network network;

/* Returns null on failure; `error` then holds the reason, in one line. */
network* network_open(const char* path, char* error, int error_size);
/* Returns the numbers of one sample. */
int network_numbers(const network* n);
/* Returns the number of classes; 0: an unconditional network. */
int network_classes(const network* n);
/* out <- D(x, sigma) for a batch, one sample after the other. `classes`: one per sample, or null for unconditional
 * samples. Returns 0 on success. */
int network_denoise(network* n, const float* x, float sigma, const int* classes, float* out, int samples);
void network_close(network* n);

#ifdef __cplusplus
}
#endif

#endif
