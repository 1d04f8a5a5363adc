#pragma once

// The one place that states the version: CMakeLists.txt reads these three numbers.
#define FEWSTEP_VERSION_MAJOR 0
#define FEWSTEP_VERSION_MINOR 1
#define FEWSTEP_VERSION_PATCH 0
