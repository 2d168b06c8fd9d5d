# Shaders.cmake: shaders/*.comp to SPIR-V, checked, and embedded as one C table (src/gpu/spirv.h).
#
# quartic_add_shaders(target) compiles with glslc, else glslangValidator; runs spirv-val on every result; adds the
# generated spirv_table.c to the target. shaders/coopmat/*.comp need a newer compiler: each is tried when CMake
# configures and left out, with a message, where the compiler does not take it; the runtime sees that by name.
find_program(QUARTIC_GLSLC glslc)
find_program(QUARTIC_GLSLANG glslangValidator)
find_program(QUARTIC_SPIRV_VAL spirv-val REQUIRED)
find_program(QUARTIC_SPIRV_OPT spirv-opt)
if(NOT QUARTIC_GLSLC AND NOT QUARTIC_GLSLANG)
  message(FATAL_ERROR "Building the shaders needs glslc (Debian: glslc) or glslangValidator (Debian: glslang-tools).")
endif()

# The command line that compiles source to output, as a list; with a depfile where one is named.
function(quartic_shader_command source output depfile out_command)
  if(QUARTIC_GLSLC)
    set(command ${QUARTIC_GLSLC} --target-env=vulkan1.3 -O -I ${PROJECT_SOURCE_DIR}/shaders)
    if(depfile)
      list(APPEND command -MD -MF ${depfile})
    endif()
    list(APPEND command -o ${output} ${source})
  else()
    set(command ${QUARTIC_GLSLANG} --target-env vulkan1.3 -I${PROJECT_SOURCE_DIR}/shaders -V -o ${output} ${source})
  endif()
  set(${out_command} "${command}" PARENT_SCOPE)
endfunction()

function(quartic_add_shaders target)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/shaders)
  file(MAKE_DIRECTORY ${folder})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/shaders/*.comp)
  file(GLOB optional CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/shaders/coopmat/*.comp)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/shaders/*.glsl ${PROJECT_SOURCE_DIR}/shaders/*.h)
  foreach(source ${optional})
    get_filename_component(name ${source} NAME_WE)
    quartic_shader_command(${source} ${folder}/${name}.try "" command)
    execute_process(COMMAND ${command} RESULT_VARIABLE result OUTPUT_QUIET ERROR_QUIET)
    if(result EQUAL 0)
      list(APPEND sources ${source})
    else()
      message(STATUS "Shader ${name} left out: the shader compiler is too old for it")
    endif()
  endforeach()

  set(binaries "")
  foreach(source ${sources})
    get_filename_component(name ${source} NAME_WE)
    set(binary ${folder}/${name}.spv)
    quartic_shader_command(${source} ${binary} ${binary}.d command)
    set(depend DEPENDS ${source} ${headers})
    if(QUARTIC_GLSLC AND CMAKE_GENERATOR MATCHES "Ninja|Makefiles")
      set(depend DEPENDS ${source} DEPFILE ${binary}.d)
    endif()
    set(optimise "")
    if(NOT QUARTIC_GLSLC AND QUARTIC_SPIRV_OPT)
      set(optimise COMMAND ${QUARTIC_SPIRV_OPT} -O ${binary} -o ${binary})
    endif()
    add_custom_command(OUTPUT ${binary} COMMAND ${command} ${optimise}
                       COMMAND ${QUARTIC_SPIRV_VAL} --target-env vulkan1.3 ${binary}
                       ${depend} COMMENT "Shader ${name}" VERBATIM)
    list(APPEND binaries ${binary})
  endforeach()

  set(table ${CMAKE_CURRENT_BINARY_DIR}/spirv_table.c)
  list(JOIN binaries "\n" lines)
  file(GENERATE OUTPUT ${folder}/list.txt CONTENT "${lines}\n")
  add_custom_command(OUTPUT ${table}
                     COMMAND ${CMAKE_COMMAND} -DLIST=${folder}/list.txt -DTABLE=${table}
                             -DSHADERS=${PROJECT_SOURCE_DIR}/shaders -P ${PROJECT_SOURCE_DIR}/cmake/EmbedShaders.cmake
                     DEPENDS ${binaries} ${folder}/list.txt ${PROJECT_SOURCE_DIR}/cmake/EmbedShaders.cmake
                     COMMENT "SPIR-V table" VERBATIM)
  target_sources(${target} PRIVATE ${table})
endfunction()
