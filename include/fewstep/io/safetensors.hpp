// The safetensors format: named arrays and text metadata in one file, without code in it.
//
// Layout: 8 bytes little-endian length of the header, the header (JSON, name -> {dtype, shape, data_offsets}, and
// "__metadata__" -> {string: string}), then the data, each tensor row-major, without gaps or overlaps.
#pragma once

#include "safetensors/content.hpp"
#include "safetensors/read.hpp"
#include "safetensors/write.hpp"
