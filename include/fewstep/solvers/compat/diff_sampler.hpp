// Mistakes of diff-sampler, the code of the AMED paper (arXiv 2312.00094).
#pragma once

#include "diff_sampler/deis_stale.hpp"
#include "diff_sampler/deis_time.hpp"
#include "diff_sampler/discrete.hpp"
#include "diff_sampler/ipndm_v.hpp"
#include "diff_sampler/unipc.hpp"
